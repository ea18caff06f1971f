// A language server that knows nothing. It tells its process id in the log, and `crash` makes it end when it is ready.
const rpc = require("vscode-jsonrpc/node");

const connection = rpc.createMessageConnection(process.stdin, process.stdout);
connection.onRequest("initialize", () => ({ capabilities: {} }));
connection.onRequest("shutdown", () => null);
connection.onNotification("exit", () => process.exit(0));
connection.onNotification("initialized", async () => {
    await connection.sendNotification("window/logMessage", { type: 3, message: `process ${process.pid}` });
    if (process.argv.includes("crash")) {
        process.exit(1);
    }
});
connection.listen();
