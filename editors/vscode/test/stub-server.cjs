// A language server with canned answers. It logs its process id and its arguments. After that, with `crash` it exits, and with `babble` it
// sends an invalid message. With `stay`, it ignores the exit notification.
const rpc = require("vscode-jsonrpc/node");

const connection = rpc.createMessageConnection(process.stdin, process.stdout);
connection.onRequest("initialize", () => ({ capabilities: {} }));
connection.onRequest("cifar-dsl/preview", ({ textDocument }) => ({ name: "stub", of: textDocument.uri }));
connection.onRequest("textDocument/codeLens", ({ textDocument }) => {
    const given = { uri: textDocument.uri, arguments: ["train", "a b.arch"], folder: "/specs" };
    return [{ command: { title: "Train", command: "cifar-dsl.train", arguments: [given] } }];
});
connection.onRequest("shutdown", () => null);
connection.onNotification("exit", () => {
    if (process.argv.includes("stay")) {
        setInterval(() => undefined, 1000); // keep running until the editor kills it
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
