# The first thing a host process runs (`python3 -c`): standard input is the socket to Axon. The Python sources that belong to
# Axon come over it, so nothing has to lie in a folder, and no file can be out of step with the binary.
import json
import linecache
import os
import socket
import sys
import types

_socket = socket.socket(fileno=os.dup(0))
_nothing = os.open(os.devnull, os.O_RDONLY)
os.dup2(_nothing, 0)
os.close(_nothing)


def _exactly(count):
    parts = []
    while count:
        part = _socket.recv(min(count, 1 << 20))
        if not part:
            os._exit(0)
        parts.append(part)
        count -= len(part)
    return b''.join(parts)


for _name, _source in json.loads(_exactly(int.from_bytes(_exactly(4), 'little'))):
    _file = '<axon>/' + _name + '.py'
    linecache.cache[_file] = (len(_source), None, _source.splitlines(True), _file)
    _module = types.ModuleType(_name)
    _module.__file__ = _file
    sys.modules[_name] = _module
    exec(compile(_source, _file, 'exec'), _module.__dict__)

sys.modules['axon_host'].main(_socket)
