// The middlewares in front of both servers when a test asks for layers, and what stands beside them.

/** The outer one notes itself, wraps the response and attaches the user; the inner one answers what asks for `end` or `fail`. */
export function useLayers(engine) {
  engine.use((request, response, next) => {
    request.layers = ["outer"];
    if (request.headers["x-user"]) request.user = request.headers["x-user"];
    const { end } = response;
    response.end = (...args) => end.apply(response, args);
    next();
  });
  engine.use((request, response, next) => {
    request.layers.push("inner");
    response.setHeader("x-order", request.layers.join());
    if (request.url.includes("end=1")) {
      response.writeHead(503);
      response.end("ended by a layer");
    } else next(request.url.includes("fail=1") ? new Error("failed in a layer") : undefined);
  });
}

/** Another handler of upgrades, under `/elsewhere`. */
export function echoElsewhere(http) {
  http.on("upgrade", (request, socket) => {
    if (request.url !== "/elsewhere") return;
    socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: echo\r\n\r\n");
    socket.on("error", () => {});
    socket.pipe(socket);
  });
}
