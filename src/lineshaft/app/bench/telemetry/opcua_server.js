// An OPC UA server of the bench on node-opcua: one line of JSON asks for its address, each further one to change
// its values. Monitored items with a sampling interval of 0 tell of each change.
const { createInterface } = require("node:readline");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const { MessageSecurityMode, SecurityPolicy } = require("node-opcua-secure-channel");
const { MonitoredItem, OPCUAServer } = require("node-opcua-server");
const { DataType } = require("node-opcua-variant");

const NAMESPACE = "urn:lineshaft:bench";
const SLICES = 10; // of a period, so that not all tags change at once
const say = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");
for (const name of ["log", "warn", "error", "info", "debug"]) console[name] = () => {};

async function start({ tags, port, folder }) {
    MonitoredItem.minimumSamplingInterval = 0;
    const server = new OPCUAServer({
        port,
        resourcePath: "/bench/",
        hostname: "127.0.0.1",
        securityModes: [MessageSecurityMode.None],
        securityPolicies: [SecurityPolicy.None],
        serverCertificateManager: new OPCUACertificateManager({ rootFolder: folder }),
        nodeset_filename: [],
        serverCapabilities: { maxSessions: 10 },
    });
    await server.initialize();
    const space = server.engine.addressSpace;
    const own = space.registerNamespace(NAMESPACE);
    const line = own.addObject({ organizedBy: space.rootFolder.objects, browseName: "Line" });
    const nodes = [];
    for (let number = 0; number < tags; number += 1) {
        const name = "t" + String(number).padStart(4, "0");
        const about = { componentOf: line, browseName: name, nodeId: "s=" + name, dataType: "Double" };
        const node = own.addVariable({ ...about, minimumSamplingInterval: 0 });
        node.setValueFromSource({ dataType: DataType.Double, value: 0 });
        nodes.push(node);
    }
    await server.start();
    return nodes;
}

// Returns the last value that all of them have: each one is one more than the one before it.
async function change(nodes, number, { seconds, hz }) {
    const begunAt = performance.now();
    const turns = Math.round(seconds * hz) * SLICES;
    const size = nodes.length / SLICES;
    for (let turn = 0; turn < turns; turn += 1) {
        const waitMs = begunAt + (turn * 1000) / hz / SLICES - performance.now();
        await new Promise((resolve) => setTimeout(resolve, Math.max(waitMs, 0)));
        const slice = turn % SLICES;
        if (slice === 0) number += 1;
        for (const node of nodes.slice(slice * size, (slice + 1) * size)) {
            node.setValueFromSource({ dataType: DataType.Double, value: number });
        }
    }
    return number;
}

async function serve() {
    let nodes = null;
    let number = 0;
    for await (const line of createInterface({ input: process.stdin })) {
        const asked = JSON.parse(line);
        if (nodes === null) {
            nodes = await start(asked);
            say({ url: `opc.tcp://127.0.0.1:${asked.port}/bench/`, namespace: NAMESPACE });
        } else {
            number = await change(nodes, number, asked);
            say({ sent: number * nodes.length });
        }
    }
    process.exit(0);
}

serve();
