"use strict";
// Draws every `.chart`: `data-series` is JSON {"x": [epoch seconds], "lines": [{"label", "y": [number or null],
// "tone", "fill", "bars"}], "unit", "limits": [{"label", "y"}], "height", "since_zero"}. Colours follow the theme.
(() => {
  const drawn = new WeakMap();
  const COLOURS = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5"];
  const TONES = { good: "--good", busy: "--busy", warn: "--warn", bad: "--bad", plain: "--muted" };
  const zone = document.body.dataset.zone;
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const figure = (value, unit) =>
    value == null ? "–" : `${Number(value.toPrecision(4)).toLocaleString("en-GB")}${unit ? ` ${unit}` : ""}`;

  // What has nothing beside it is no part of a line.
  const alone = (y) => [...y.keys()].filter((at) => y[at] != null && y[at - 1] == null && y[at + 1] == null);

  function draw(place) {
    const told = JSON.parse(place.dataset.series);
    drawn.get(place)?.destroy();
    place.replaceChildren();
    const isNone = told.lines.every((line) => line.y.every((value) => value == null));
    if (isNone || told.x.length < 2) {
      const none = place.appendChild(document.createElement("p"));
      none.className = "none";
      none.textContent = isNone ? "Nothing was measured in this time." : "The course is drawn as soon as it has two points.";
      drawn.set(place, null);
      return;
    }
    const few = told.x.length < 40;
    const short = told.unit?.length <= 4 ? told.unit : ""; // fits beside each figure of the axis
    const axis = { stroke: css("--muted"), grid: { stroke: css("--faint"), width: 1 }, ticks: { show: false }, font: "11px sans-serif" };
    const limits = (told.limits || []).map((limit) => ({ ...limit, tone: limit.tone || "warn", limit: true, y: told.x.map(() => limit.y) }));
    const lines = [...told.lines, ...limits];
    const chart = new uPlot(
      {
        width: Math.max(place.clientWidth, 120),
        height: told.height || 180,
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
        cursor: { points: { size: 6 }, y: false },
        legend: { live: true },
        scales: { y: { range: (_, low, high) => (low == null ? [0, 1] : told.since_zero === false ? uPlot.rangeNum(low, high, 0.1, true) : [Math.min(0, low), high > 0 ? high * 1.1 : 1]) } },
        axes: [
          { ...axis, values: [[86400, "{D} {MMM}", null, null, null, null, null, null, 1], [3600, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1], [60, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1], [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1]] },
          { ...axis, size: short ? 68 : 50, values: (_, ticks) => ticks.map((tick) => figure(tick, short)) },
        ],
        series: [
          { label: "time", value: (_, seconds) => (seconds == null ? "–" : new Intl.DateTimeFormat("en-GB", { timeZone: zone, dateStyle: "short", timeStyle: "medium" }).format(seconds * 1000)) },
          ...lines.map((line, number) => {
            const colour = css(line.tone ? TONES[line.tone] : COLOURS[number % COLOURS.length]);
            return {
              label: line.label,
              stroke: colour,
              width: line.limit ? 1 : 1.75,
              dash: line.limit || line.dash ? [5, 4] : undefined,
              fill: line.fill ? `color-mix(in srgb, ${colour} 18%, transparent)` : line.bars ? colour : undefined,
              paths: line.bars ? uPlot.paths.bars({ size: [0.8, 60] }) : undefined,
              points: line.limit || line.bars ? { show: false } : { show: few, filter: () => (few ? null : alone(line.y)) },
              value: (_, value) => figure(value, told.unit),
            };
          }),
        ],
      },
      [told.x, ...lines.map((line) => line.y)],
      place,
    );
    drawn.set(place, chart);
  }

  function begin(place) {
    if (drawn.has(place)) return;
    draw(place);
    place.addEventListener("series", () => draw(place));
    widths.observe(place);
  }
  const widths = new ResizeObserver((changes) => {
    for (const { target } of changes) {
      const chart = drawn.get(target);
      const width = Math.max(target.clientWidth, 120);
      if (chart && chart.width !== width) chart.setSize({ width, height: chart.height });
    }
  });
  const all = () => document.querySelectorAll(".chart[data-series]").forEach(begin);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    document.querySelectorAll(".chart[data-series]").forEach(draw),
  );
  document.addEventListener("lineshaft:refreshed", all);
  document.addEventListener("htmx:afterSettle", all);
  all();
})();
