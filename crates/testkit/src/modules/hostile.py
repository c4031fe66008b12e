# A manager module that does harm when told to: by a command once, or by its option `deed` whenever it runs. It is installed under the
# names hostile_spin, hostile_leak and hostile_die; each name knows every deed, as a host and ceph-mgr alike run a module once.
import os
import signal
import threading
import time

from mgr_module import MgrModule, Option

NAME = __name__.split('.')[0]
WORDS = NAME.replace('_', ' ')


class Commands:
    """What 20.2 asks of every module: commands by decorator. There are none."""
    COMMANDS = {}

    @staticmethod
    def dump_cmd_list():
        return []


class Module(MgrModule):
    CLICommand = Commands
    COMMANDS = [
        {'cmd': WORDS + ' name=deed,type=CephString name=amount,type=CephInt,req=false', 'desc': 'Do harm', 'perm': 'rw'},
        {'cmd': WORDS.replace('hostile ', 'harmless '), 'desc': 'Answer', 'perm': 'r'},
    ]
    MODULE_OPTIONS = [Option('deed', default='')]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.wake = threading.Event()
        self.ends = False
        self.asked = None
        self.kept = []

    def handle_command(self, inbuf, cmd):
        if cmd['prefix'].startswith('harmless'):
            return 0, 'here', ''
        self.asked = (cmd['deed'], int(cmd.get('amount', 0)))
        self.wake.set()
        return 0, 'begins', ''

    def config_notify(self):
        self.wake.set()

    def shutdown(self):
        self.ends = True
        self.wake.set()

    def serve(self):
        while not self.ends:
            asked, self.asked = self.asked, None
            deed, amount = asked or (self.get_module_option('deed'), 0)
            if asked:
                # The answer goes first: whoever waits for it is not the one to be harmed.
                time.sleep(0.5)
            if deed == 'spin':
                # In C and with the interpreter's lock, so that no other thread of the interpreter runs.
                sum(range(amount or 10 ** 12))
            elif deed == 'leak':
                self.leak(amount)
            elif deed == 'die':
                os.kill(os.getpid(), signal.SIGKILL)
            self.wake.wait(2)
            self.wake.clear()

    def leak(self, mib):
        """A mebibyte every 20 ms, and keeps it."""
        left = mib or 1 << 20
        while left and not self.ends:
            self.kept.append(os.urandom(1 << 10) * 1024)
            left -= 1
            threading.Event().wait(0.02)
