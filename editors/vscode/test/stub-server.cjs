// A language server that knows nothing. It tells its process id in the log. When the editor has read that, `crash` makes
// it end and `babble` say what is no message. `stay` makes it stay when it is told to end.
const rpc = require("vscode-jsonrpc/node");

const connection = rpc.createMessageConnection(process.stdin, process.stdout);
connection.onRequest("initialize", () => ({ capabilities: {} }));
connection.onRequest("shutdown", () => null);
connection.onNotification("exit", () => {
    if (process.argv.includes("stay")) {
        setInterval(() => undefined, 1000); // the editor closes its side
    } else {
        process.exit(0);
    }
});
connection.onNotification("initialized", async () => {
    await connection.sendNotification("window/logMessage", { type: 3, message: `process ${process.pid}` });
    await connection.sendRequest("client/registerCapability", { registrations: [] });
    if (process.argv.includes("crash")) {
        process.exit(1);
    }
    if (process.argv.includes("babble")) {
        process.stdout.write("hello\r\n\r\n");
    }
});
connection.listen();
