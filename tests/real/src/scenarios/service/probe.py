# What the process that runs this may do, as {name: "done" or the errno's name}: in a module of a manager under systemd's unit, and
# without one for comparison.
import ctypes
import errno
import mmap
import os
import tempfile

LIBC = ctypes.CDLL(None, use_errno=True)


def personality():
    """ADDR_NO_RANDOMIZE, and back."""
    LIBC.personality.restype = ctypes.c_int
    before = LIBC.personality(ctypes.c_ulong(0xffffffff))
    for wanted in (before ^ 0x0040000, before):
        if LIBC.personality(ctypes.c_ulong(wanted)) < 0:
            raise OSError(ctypes.get_errno(), '')


def set_user_id():
    with tempfile.NamedTemporaryFile() as file:
        os.fchmod(file.fileno(), 0o4755)


def writes(folder):
    def call():
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b'here')
    return call


def writable_code():
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def callback():
    """As python-cffi's: libffi makes code."""
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
    numbers = (ctypes.c_int * 3)(3, 1, 2)
    LIBC.qsort(numbers, 3, ctypes.sizeof(ctypes.c_int), compare(lambda a, b: a[0] - b[0]))
    assert list(numbers) == [1, 2, 3]


DEEDS = {
    'personality': personality,
    'set-user-id': set_user_id,
    'home': lambda: os.listdir('/home'),
    'device': lambda: os.stat('/dev/fuse'),
    'writable code': writable_code,
    'callback': callback,
    'temporary': writes('/tmp'),
    'crash': writes('/var/lib/ceph/crash'),
    'log': writes('/var/log/ceph'),
    'run': writes('/run/ceph'),
}


def probe():
    out = {}
    for name, deed in DEEDS.items():
        try:
            deed()
            out[name] = 'done'
        except OSError as why:
            out[name] = errno.errorcode.get(why.errno, str(why))
    return out
