// Node-RED without editor and HTTP server. It ends with its standard input, however that comes about.
process.stdin.on("end", () => process.exit(0)).resume();

module.exports = {
    credentialSecret: false,
    disableEditor: true,
    flowFile: process.env.BENCH_FLOW,
    httpAdminRoot: false,
    httpNodeRoot: false,
    logging: { console: { level: "error", metrics: false, audit: false } },
    telemetry: { enabled: false },
};
