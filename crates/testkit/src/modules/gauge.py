# A manager module that measures what its calls cost it: `gauge time` answers with the seconds of each. `gauge wait` takes its
# time and says under which manager it was. `gauge counters` shows what a daemon reports.
import json
import time

from mgr_module import MgrModule


class Commands:
    """What 20.2 asks of every module: commands by decorator. There are none."""
    COMMANDS = {}

    @staticmethod
    def dump_cmd_list():
        return []


class Module(MgrModule):
    CLICommand = Commands
    COMMANDS = [
        {'cmd': 'gauge time name=what,type=CephString name=count,type=CephInt', 'desc': 'Time calls', 'perm': 'r'},
        {'cmd': 'gauge counters name=type,type=CephString name=id,type=CephString', 'desc': 'Show counters', 'perm': 'r'},
        {'cmd': 'gauge wait name=secs,type=CephInt', 'desc': 'Take that long', 'perm': 'r'},
        {'cmd': 'gauge answer', 'desc': 'Answer', 'perm': 'r'},
    ]

    def handle_command(self, inbuf, cmd):
        if cmd['prefix'] == 'gauge answer':
            return 0, 'here', ''
        if cmd['prefix'] == 'gauge wait':
            time.sleep(int(cmd['secs']))
            return 0, self.get_mgr_id(), ''
        if cmd['prefix'] == 'gauge counters':
            return 0, json.dumps(self.counters(cmd['type'], cmd['id'])), ''
        call = self.calls()[cmd['what']]
        secs, size = [], 0
        for _ in range(int(cmd['count'])):
            begun = time.perf_counter()
            size = call()
            secs.append(time.perf_counter() - begun)
        return 0, json.dumps({'secs': secs, 'size': size}), ''

    def calls(self):
        # Its name up to 16.2, and since.
        counters = getattr(self, 'get_all_perf_counters', None) or self.get_unlabeled_perf_counters
        return {
            'osd_map': lambda: len(self.get('osd_map')['osds']),
            'counters': lambda: sum(len(of) for of in counters().values()),
        }

    def counters(self, kind, name):
        """[path, description, nick, type, priority, unit, value, count] of each."""
        everything = getattr(self, 'get_all_perf_counters', None) or self.get_unlabeled_perf_counters
        keys = ('description', 'nick', 'type', 'priority', 'units', 'value', 'count')
        missing = {'nick': '', 'count': 0}
        of = everything(services=(kind,))['%s.%s' % (kind, name)]
        return [[path] + [counter.get(key, missing.get(key)) for key in keys] for path, counter in sorted(of.items())]
