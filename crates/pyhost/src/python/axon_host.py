# A host process: loads one stock module, runs its serve(), hands it commands and notifications one after another (as the
# manager's finisher thread does), and calls from other modules beside them.
import importlib
import os
import pickle
import queue
import signal
import sys
import threading
import traceback

import axon_describe
import ceph_module
from axon_link import ERROR, REPLY, Link, _exit

# How long serve() may take to return after shutdown().
SHUTDOWN_SECS_MAX = 10


def die_with_parent(parent):
    """Ends this process with the one that started it, even while it never looks at its socket."""
    try:
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
    except (ImportError, OSError, AttributeError):
        return
    if os.getppid() != parent:
        _exit(0)


def title(name):
    try:
        import ctypes
        ctypes.CDLL(None).prctl(15, ('axon:' + name)[:15].encode(), 0, 0, 0)  # PR_SET_NAME
    except (ImportError, OSError, AttributeError):
        pass


def limit_memory(data_bytes_max):
    """Private memory beyond that is refused by the kernel: MemoryError. Also makes this process go before the manager where memory ends."""
    import resource
    limit = data_bytes_max if data_bytes_max else resource.RLIM_INFINITY
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.getrlimit(resource.RLIMIT_DATA)[1]))
        with open('/proc/self/oom_score_adj', 'w') as f:
            f.write('500')
    except (ValueError, OSError):
        traceback.print_exc()


class Host(object):
    def __init__(self, link, setup):
        self.link = link
        self.name = setup['module']
        self.standby = setup['mode'] == 'standby'
        self.instance = None
        self.work = queue.SimpleQueue()
        self.ended = queue.SimpleQueue()
        self.serving = None
        self.clean = None
        link.on_call = self.on_call
        link.on_note = self.on_note

    # Starting.

    def load(self):
        import mgr_module
        if self.name == 'dashboard':
            import axon_dashboard
            self.clean = axon_dashboard.prepare(self.link)
        module = importlib.import_module(self.name)
        cls = axon_describe.find_class(module, mgr_module.MgrModule)
        axon_describe.register(cls, self.name, True)
        if self.standby:
            cls = axon_describe.find_class(module, mgr_module.MgrStandbyModule)
            axon_describe.register(cls, self.name, False)
            self.instance = cls(self.name, ceph_module.CAPSULE)
        else:
            self.instance = cls(self.name, ceph_module.CAPSULE, ceph_module.CAPSULE)

    def run(self):
        self.link.start()
        try:
            self.load()
        except BaseException as e:
            traceback.print_exc()
            self.fail('loading', e)
        threading.Thread(target=self.finish, name='axon-finisher', daemon=True).start()
        self.link.note('ready')
        self.serving = threading.Thread(target=self.serve, name=self.name, daemon=True)
        self.serving.start()
        status = self.ended.get()
        if self.clean is not None:
            self.clean()
        sys.stdout.flush()
        sys.stderr.flush()
        _exit(status)

    def fail(self, where, e):
        self.link.note('failed', where, '%s' % (e,) or type(e).__name__, traceback.format_exc())
        sys.stderr.flush()
        _exit(1)

    def serve(self):
        try:
            self.instance.serve()
        except BaseException as e:
            traceback.print_exc()
            self.fail('serve', e)

    # What Axon asks for.

    def on_call(self, number, head, tail):
        what = head[0]
        if what == 'ping':
            self.link.send(REPLY, number, True)
        elif what == 'remote':
            threading.Thread(target=self.remote, args=(number, head[1], tail), daemon=True).start()
        elif what == 'shutdown':
            threading.Thread(target=self.shutdown, args=(number,), daemon=True).start()
        elif what == 'ask':
            threading.Thread(target=self.ask, args=(number, head[1], head[2]), daemon=True).start()
        elif what == 'command':
            self.work.put(lambda: self.command(number, head[1], head[2], tail))
        else:
            self.link.send(ERROR, number, {'type': 'NotImplementedError', 'message': what})

    def on_note(self, head, tail):
        what = head[0]
        if what == 'data_bytes_max':
            return limit_memory(head[1])
        if self.standby:
            return
        if what == 'notify':
            self.work.put(lambda: self.instance.notify(head[1], head[2]))
        elif what == 'config_notify':
            self.work.put(self.instance._config_notify)

    def finish(self):
        while True:
            job = self.work.get()
            try:
                job()
            except Exception:
                traceback.print_exc()

    def command(self, number, token, arguments, inbuf):
        ceph_module.current_command.token = token
        self.link.note('begun', number)
        try:
            result = self.instance._handle_command(bytes(inbuf).decode(), arguments)
            r, data, status = result
        except Exception:
            text = traceback.format_exc()
            sys.stderr.write(text)
            r, data, status = -22, '', text
        finally:
            ceph_module.current_command.token = None
        data = data if isinstance(data, bytes) else str('' if data is None else data).encode('utf-8', 'replace')
        self.link.send(REPLY, number, [int(r), '' if status is None else str(status)], data)

    def remote(self, number, method, tail):
        try:
            bound = getattr(self.instance, method, None)
            if bound is None:
                raise NameError('Method not found')
            args, kwargs = pickle.loads(bytes(tail))
        except NameError as e:
            return self.link.send(ERROR, number, {'type': 'NameError', 'message': str(e)})
        except Exception as e:
            return self.link.send(ERROR, number, {'type': 'RuntimeError', 'message': str(e)})
        try:
            answer = pickle.dumps(bound(*args, **kwargs))
        except Exception:
            text = 'Remote method threw exception: ' + traceback.format_exc()
            return self.link.send(ERROR, number, {'type': 'RuntimeError', 'message': text})
        self.link.send(REPLY, number, None, answer)

    def ask(self, number, what, argument):
        import axon_dashboard
        try:
            answer = axon_dashboard.ask(what, argument)
        except Exception as e:
            traceback.print_exc()
            return self.link.send(ERROR, number, {'type': type(e).__name__, 'message': str(e)})
        self.link.send(REPLY, number, [answer])

    def shutdown(self, number):
        try:
            if self.instance is not None:
                self.instance.shutdown()
            if self.serving is not None:
                self.serving.join(SHUTDOWN_SECS_MAX)
        except Exception:
            traceback.print_exc()
        try:
            self.link.send(REPLY, number, self.serving is None or not self.serving.is_alive())
        finally:
            self.ended.put(0)


def main(sock):
    link = Link(sock)
    setup = link.read()[2]
    die_with_parent(setup['parent'])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whoever ends the manager may tell its whole group; what is under way ends with the manager. A handler, unlike SIG_IGN, is
    # not passed on to programs that a module starts.
    signal.signal(signal.SIGTERM, lambda *_: None)
    sys.argv = ['ceph-mgr']
    sys.path.insert(0, setup['module_path'])
    ceph_module.attach(link, setup)
    if setup['mode'] == 'describe':
        axon_describe.run(link, setup)
        sys.stderr.flush()
        _exit(0)
    title(setup['module'])
    limit_memory(setup['data_bytes_max'])
    link.call_secs_max = setup['call_secs_max']
    import faulthandler
    faulthandler.enable()
    Host(link, setup).run()
