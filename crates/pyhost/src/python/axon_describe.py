# Looks at the stock modules without running them: options, commands, notify types, whether they can run. Each module is
# imported in a fork of its own, as modules share registries by class (`CLICommand.COMMANDS`) and may end their process.
import json
import os
import select
import sys
import time
import traceback

from axon_link import _exit

# How long one module may take to be imported.
MODULE_SECS_MAX = 60

# How many are looked at at a time.
FORKS_MAX = max(1, min(4, os.cpu_count() or 1))


def find_class(module, base):
    """The first class of a module that extends `base`, as PyModule::load_subclass_of finds it."""
    for value in list(vars(module).values()):
        if isinstance(value, type) and issubclass(value, base) and value is not base:
            return value
    return None


def register(cls, name, commands):
    if commands:
        cls._register_commands(name)
    cls._register_options(name)


def text(value):
    return value if isinstance(value, str) else str(value)


def option(o):
    out = {'name': o['name'], 'type': o.get('type') if isinstance(o.get('type'), str) else 'str'}
    level = o.get('level')
    if isinstance(level, int):
        out['level'] = int(level)
    for key in ('desc', 'long_desc'):
        if isinstance(o.get(key), str):
            out[key] = o[key]
    for key in ('default', 'min', 'max'):
        if key in o:
            out[key] = text(o[key])
    for key in ('enum_allowed', 'see_also', 'tags'):
        if isinstance(o.get(key), list):
            out[key] = [text(v) for v in o[key]]
    out['runtime'] = o.get('runtime') is True
    return out


def describe(name):
    import importlib
    import mgr_module
    out = {'name': name, 'loaded': False, 'can_run': False, 'error': ''}
    try:
        module = importlib.import_module(name)
    except BaseException as e:
        traceback.print_exc()
        out['error'] = '%s: %s' % (type(e).__name__, e) if not str(e) else str(e)
        return out
    cls = find_class(module, mgr_module.MgrModule)
    if cls is None:
        out['error'] = 'no class of it extends MgrModule'
        return out
    register(cls, name, True)
    out['commands'] = [
        {'cmd': c['cmd'], 'desc': c['desc'], 'perm': c['perm'], 'poll': str(c.get('poll', '')).lower() in ('true', '1')}
        for c in cls.COMMANDS]
    out['options'] = [option(o) for o in cls.MODULE_OPTIONS]
    types = getattr(cls, 'NOTIFY_TYPES', None)
    if types is not None:
        out['notify'] = [text(getattr(t, 'value', t)) for t in types]
    else:
        # Before 17.2 every module heard of everything; those that do not listen need not be told.
        listens = cls.notify is not mgr_module.MgrModule.notify
        out['notify'] = ['*'] if listens else []
    standby = find_class(module, mgr_module.MgrStandbyModule)
    out['standby'] = standby is not None
    out['loaded'] = True
    try:
        can_run, why = cls.can_run()
        out['can_run'], out['error'] = can_run is True, text(why)
    except Exception as e:
        traceback.print_exc()
        out['error'] = str(e)
    return out


class Fork(object):
    """One module, looked at in a process of its own."""

    def __init__(self, name):
        self.name = name
        self.until = time.monotonic() + MODULE_SECS_MAX
        self.parts = []
        self.readable, writable = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self.child(writable)
        os.close(writable)

    def child(self, writable):
        status = 1
        try:
            os.close(self.readable)
            body = json.dumps(describe(self.name)).encode()
            with os.fdopen(writable, 'wb') as out:
                out.write(body)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            _exit(status)

    def read(self):
        """Takes what it has written; whether there is more to come."""
        part = os.read(self.readable, 1 << 16)
        self.parts.append(part)
        return bool(part)

    def end(self, late):
        """What it has found."""
        if late:
            os.kill(self.pid, 9)
        os.close(self.readable)
        _, status = os.waitpid(self.pid, 0)
        try:
            return json.loads(b''.join(self.parts))
        except ValueError:
            why = 'took longer than %d s' % MODULE_SECS_MAX if late else 'ended with wait status %d' % status
            return {'name': self.name, 'loaded': False, 'can_run': False, 'error': 'loading it %s' % why}


def run(link, setup):
    try:
        # Once, for all forks.
        import mgr_module  # noqa: F401
    except BaseException as e:
        traceback.print_exc()
        link.note('broken', str(e))
        return
    waiting, forks = list(reversed(setup['modules'])), {}
    while waiting or forks:
        while waiting and len(forks) < FORKS_MAX:
            fork = Fork(waiting.pop())
            forks[fork.readable] = fork
        first = min(fork.until for fork in forks.values())
        ready, _, _ = select.select(list(forks), [], [], max(0.0, first - time.monotonic()))
        for fork in list(forks.values()):
            late = time.monotonic() >= fork.until
            if late or (fork.readable in ready and not fork.read()):
                del forks[fork.readable]
                link.note('described', fork.end(late))
    link.note('done')
