# A manager module that says what it may do: `sandbox probe`.
import json

from mgr_module import MgrModule

from .probe import probe


class Commands:
    """What 20.2 asks of every module: commands by decorator. There are none."""
    COMMANDS = {}

    @staticmethod
    def dump_cmd_list():
        return []


class Module(MgrModule):
    CLICommand = Commands
    COMMANDS = [{'cmd': 'sandbox probe', 'desc': 'Say what is allowed', 'perm': 'r'}]

    def handle_command(self, inbuf, cmd):
        return 0, json.dumps(probe()), ''
