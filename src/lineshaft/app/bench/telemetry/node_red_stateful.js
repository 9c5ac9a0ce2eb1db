// A limit with hysteresis and one-minute windows, by tag, in the context of the node.
let tags = context.get("tags");
if (!tags) context.set("tags", (tags = {}));
const out = [];

function take(tag, value, time) {
    const s = tags[tag] || (tags[tag] = { high: false, minute: -1, count: 0, min: 0, max: 0, sum: 0 });
    const minute = Math.floor(time / 60000);
    if (minute !== s.minute) {
        if (s.count) {
            const { count, min, max, sum } = s;
            out.push({ topic: "results/window", payload: { tag, minute: s.minute, count, min, max, mean: sum / count } });
        }
        s.minute = minute;
        s.count = s.sum = 0;
        s.min = Infinity;
        s.max = -Infinity;
    }
    s.count += 1;
    s.sum += value;
    if (value < s.min) s.min = value;
    if (value > s.max) s.max = value;
    if (value > LIMIT) {
        if (!s.high) {
            s.high = true;
            out.push({ topic: "results/breach", payload: { tag, at: time, value } });
        }
    } else if (value <= RELEASE) {
        s.high = false;
    }
}

const { tag, value, time } = msg.payload;
if (Array.isArray(value)) value.forEach((each, index) => take(tag, each, time[index]));
else take(tag, value, time);
return [out];
