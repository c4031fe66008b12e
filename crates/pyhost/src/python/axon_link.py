# Frames between a host process and Axon: requests in both directions, answers by number, notes without an answer. The other
# end is `wire.rs`; docs/decisions/0004-python-hosts.md says why it looks like this. Plain standard library, 3.9 and newer.
#
# A frame: magic, kind, two spare bytes, length of the head, length of the tail, number (little-endian), then the head (JSON)
# and the tail (raw bytes: big answers, command input and output, pickles).
import builtins
import itertools
import json
import queue
import struct
import threading
# Modules replace os._exit() so that CherryPy cannot end the manager.
from os import _exit

PREFIX = struct.Struct('<BBHIIQ')
MAGIC = 0xA7
CALL, REPLY, ERROR, NOTE = 0, 1, 2, 3
FRAME_BYTES_MAX = 1 << 30

# How long a module waits for Axon when nothing else is said. Axon answers within its own deadline, which is shorter.
CALL_SECS_MAX = 300


class Slot(object):
    __slots__ = ('lock', 'kind', 'head', 'tail', 'then')

    def __init__(self, then=None):
        self.lock = threading.Lock()
        self.lock.acquire()
        self.kind = None
        self.then = then


def failure(head):
    """The exception that an error frame stands for."""
    kind = getattr(builtins, str(head.get('type')), RuntimeError)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        kind = RuntimeError
    return kind(head.get('message', ''))


class Link(object):
    def __init__(self, sock):
        self.socket = sock
        self.sending = threading.Lock()
        self.numbers = itertools.count(1)
        self.slots = {}
        self.completions = queue.SimpleQueue()
        self.on_call = None
        self.on_note = None
        self.call_secs_max = CALL_SECS_MAX

    # Bytes.

    def _exactly(self, count):
        buffer = bytearray(count)
        view = memoryview(buffer)
        at = 0
        while at < count:
            got = self.socket.recv_into(view[at:])
            if not got:
                raise EOFError('Axon has gone')
            at += got
        return buffer

    def read(self):
        magic, kind, _, head_len, tail_len, number = PREFIX.unpack(self._exactly(PREFIX.size))
        if magic != MAGIC or kind > NOTE or head_len + tail_len > FRAME_BYTES_MAX:
            raise EOFError('not a frame of Axon')
        head = json.loads(self._exactly(head_len)) if head_len else None
        tail = self._exactly(tail_len) if tail_len else b''
        return kind, number, head, tail

    def send(self, kind, number, head, tail=b''):
        text = json.dumps(head, separators=(',', ':')).encode()
        if len(text) + len(tail) > FRAME_BYTES_MAX:
            raise ValueError('%d bytes are more than one message may have' % (len(text) + len(tail)))
        with self.sending:
            self.socket.sendall(PREFIX.pack(MAGIC, kind, 0, len(text), len(tail), number) + text)
            if tail:
                self.socket.sendall(tail)

    # Requests to Axon.

    def note(self, *what, **kwargs):
        self.send(NOTE, 0, what, kwargs.get('tail', b''))

    def call(self, *what, **kwargs):
        """Asks Axon and waits: (head, tail) of the answer."""
        slot = Slot()
        number = next(self.numbers)
        self.slots[number] = slot
        try:
            self.send(CALL, number, what, kwargs.get('tail', b''))
            if not slot.lock.acquire(timeout=kwargs.get('secs', self.call_secs_max)):
                raise RuntimeError('Axon has not answered %r in time' % (what[0],))
        finally:
            self.slots.pop(number, None)
        if slot.kind == ERROR:
            raise failure(slot.head)
        return slot.head, slot.tail

    def call_later(self, then, *what, **kwargs):
        """Asks Axon; `then(kind, head, tail)` runs on the completions' thread."""
        number = next(self.numbers)
        self.slots[number] = Slot(then)
        self.send(CALL, number, what, kwargs.get('tail', b''))

    # What Axon sends.

    def start(self):
        threading.Thread(target=self._receive, name='axon-link', daemon=True).start()
        threading.Thread(target=self._complete, name='axon-completions', daemon=True).start()

    def _receive(self):
        try:
            while True:
                kind, number, head, tail = self.read()
                if kind in (REPLY, ERROR):
                    slot = self.slots.get(number)
                    if slot is None:
                        continue
                    slot.kind, slot.head, slot.tail = kind, head, tail
                    if slot.then is None:
                        slot.lock.release()
                    else:
                        del self.slots[number]
                        self.completions.put(slot)
                elif kind == CALL:
                    self.on_call(number, head, tail)
                else:
                    self.on_note(head, tail)
        except (EOFError, OSError):
            pass
        finally:
            # Without Axon there is nothing left to do for this process, whatever its threads are at.
            _exit(0)

    def _complete(self):
        while True:
            slot = self.completions.get()
            try:
                slot.then(slot.kind, slot.head, slot.tail)
            except Exception:
                import traceback
                traceback.print_exc()
