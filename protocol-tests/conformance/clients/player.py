"""Plays scenarios.json with python-socketio.

Arguments: the server's URL and the way to connect. Writes one JSON line per scenario: its name, and the error if there
was one. A scenario that wants the server started again says so with a line, and goes on when a line comes.
"""

import json
import pathlib
import queue
import sys
import traceback

import socketio

PATIENCE = 10
TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": None}


def main():
    url, way = sys.argv[1:]
    scenarios = json.loads(pathlib.Path(__file__).with_name("scenarios.json").read_text())
    for scenario in scenarios:
        player = Player(url, way, scenario["steps"])
        error = None
        try:
            for step in decode(scenario["steps"]):
                player.step(step)
        except Exception:
            error = traceback.format_exc()
        finally:
            player.hang_up_all()
        say(scenario=scenario["scenario"], error=error)


def say(**line):
    print(json.dumps(line), flush=True)


class Player:
    def __init__(self, url, way, steps):
        self.url = url
        self.way = way
        self.received = {step["event"] for step in steps if step["do"] in ("receive", "quiet")}
        self.clients = []
        self.sockets = {}

    def step(self, step):
        step = dict(step)
        getattr(self, step.pop("do").replace(" ", "_"))(**{"as_" if key == "as" else key: value for key, value in step.items()})

    def hang_up_all(self):
        for client in self.clients:
            client.shutdown()

    def connect(self, sockets, auth=None):
        client = self.client()
        for name, namespace in sockets.items():
            self.sockets[name] = Socket(client, namespace, self.received)
        client.connect(self.url, transports=TRANSPORTS[self.way], namespaces=list(sockets.values()), auth=auth, wait_timeout=PATIENCE)
        for name in sockets:
            self.connected(name)

    def connected(self, as_):
        socket = self.sockets[as_]
        socket.take("connect")
        socket.id = socket.client.get_sid(socket.namespace)

    def disconnected(self, as_):
        self.sockets[as_].take("disconnect")

    def refused(self, namespace, message, auth=None, data=None):
        client = self.client()
        socket = Socket(client, namespace, [])
        try:
            client.connect(self.url, transports=TRANSPORTS[self.way], namespaces=[namespace], auth=auth, wait_timeout=PATIENCE)
        except socketio.exceptions.ConnectionError:
            pass
        expected = {"message": message} if data is None else {"message": message, "data": data}
        same(socket.take("refused"), [expected])

    def call(self, as_, event, args, answer=None, **more):
        same(self.sockets[as_].ask(event, args), args if more.get("same") else answer)

    def emit(self, as_, event, args):
        self.sockets[as_].emit(event, args)

    def receive(self, as_, event, args):
        same(self.sockets[as_].take(event), args)

    def quiet(self, as_, event):
        self.sockets[as_].ask("echo", [])
        same(self.sockets[as_].inboxes[event].qsize(), 0)

    def reply(self, as_, event, **more):
        socket = self.sockets[as_]
        socket.client.on(event, lambda *_args: tuple(more["with"]), namespace=socket.namespace)

    def upgraded(self, as_):
        # The client upgrades before it says that it is connected.
        same(self.sockets[as_].client.transport(), "polling" if self.way == "polling" else "websocket")

    def leave(self, as_):
        socket = self.sockets[as_]
        # The client has no word for leaving one namespace, but this is what it would send.
        socket.client._send_packet(socketio.packet.Packet(socketio.packet.DISCONNECT, namespace=socket.namespace))

    def hang_up(self, as_):
        self.sockets[as_].client.disconnect()

    def reasons(self, as_, of, expected, any=False):
        [reasons] = self.sockets[as_].ask("left", [self.sockets[of].id])
        if any:
            assert len(reasons) == 1 and reasons[0] in expected, f"the reasons are {reasons}"
        else:
            same(reasons, expected)

    def restart(self):
        say(restart=True)
        sys.stdin.readline()

    def client(self):
        client = socketio.Client(reconnection_delay=0.05, reconnection_delay_max=0.2, randomization_factor=0)
        self.clients.append(client)
        return client


class Socket:
    """One namespace of a client, which keeps what it receives until that is asked for."""

    def __init__(self, client, namespace, events):
        self.client = client
        self.namespace = namespace
        self.inboxes = {}
        self.keep("connect", "connect")
        self.keep("disconnect", "disconnect")
        self.keep("refused", "connect_error")
        for event in events:
            self.keep(event, event)

    def keep(self, name, event):
        inbox = self.inboxes[name] = queue.Queue()

        def put(*args):
            inbox.put(list(args))

        self.client.on(event, put, namespace=self.namespace)

    def take(self, name):
        try:
            return self.inboxes[name].get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"waited in vain for {name}") from None

    def emit(self, event, args, callback=None):
        self.client.emit(event, tuple(args), namespace=self.namespace, callback=callback)

    def ask(self, event, args):
        answers = queue.Queue()
        self.emit(event, args, callback=lambda *answer: answers.put(list(answer)))
        try:
            return answers.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"waited in vain for the answer to {event}") from None


def same(got, expected):
    assert got == expected, f"{got!r} instead of {expected!r}"


def decode(value):
    """`{"$bytes": "0aff"}` is bytes, at any depth."""
    if isinstance(value, list):
        return [decode(one) for one in value]
    if isinstance(value, dict):
        if "$bytes" in value:
            return bytes.fromhex(value["$bytes"])
        return {key: decode(one) for key, one in value.items()}
    return value


main()
