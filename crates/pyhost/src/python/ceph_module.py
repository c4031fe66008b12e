# `ceph_module` as the stock modules import it (upstream: src/mgr/BaseMgrModule.cc, BaseMgrStandbyModule.cc; the surface is
# ceph_module.pyi of 16.2 to 20.2), in plain Python: everything about the cluster is asked from Axon.
#
# A document that Axon gives is a fresh object at every call, as upstream's is, but crosses the socket only when it has
# changed: the text's serial number is kept with a copy that is cheap to read again.
import json
import marshal
import os
import pickle
import sqlite3
import sys
import threading

from axon_counters import Counters
from axon_link import ERROR, _exit

_link = None
_setup = {}

# What upstream hands over as capsules: nothing looks into it.
CAPSULE = object()

# The command that the finisher's thread is working on, for is_authorized().
current_command = threading.local()

# Documents of at least this size are kept; smaller ones cross each time.
KEPT_BYTES_MIN = 4096

_documents = {}
_counters = None


def attach(link, setup):
    global _link, _setup, _counters
    _link, _setup, _counters = link, setup, Counters(link.call)


def _ask(*what, **kwargs):
    return _link.call(*what, **kwargs)[0]


def _document(*what):
    """The object of a JSON text that Axon keeps."""
    key = tuple(what)
    known = _documents.get(key)
    head, tail = _link.call('document', known[0] if known else 0, *what)
    if head is None:
        return None
    serial, same = head
    if same:
        return marshal.loads(known[1])
    value = json.loads(tail)
    if serial and len(tail) >= KEPT_BYTES_MIN:
        _documents[key] = (serial, marshal.dumps(value))
    else:
        _documents.pop(key, None)
    return value


def _typed(kind, text):
    """An option's text as the type that it is declared with (get_python_typed_option_value)."""
    if text is None:
        return None
    if kind in ('int', 'uint', 'size'):
        return int(text, 0)
    if kind in ('float', 'secs', 'millisecs'):
        return float(text)
    if kind == 'bool':
        return text in ('1', 'true', 'True', 'on', 'yes')
    return text


def _option(name):
    kind, text = _ask('option', name)
    return _typed(kind, text)


# Options of this host's module that have another value here than in the cluster (`axon_dashboard`).
options_of_host = {}


def _module_option(module, key, prefix):
    if module == _setup['module'] and key in options_of_host:
        return options_of_host[key]
    found = _ask('module_option', module, key, prefix or '')
    return None if found is None else _typed(found[0], found[1])


class Context(object):
    """What get_context() gives in place of a C++ CephContext: librados makes its own from the manager's configuration."""

    def arguments(self):
        return {'name': _setup['entity'], 'conffile': _setup['conf_path'], 'conf': dict(_setup['conf'])}


def _adapt_rados():
    """Rados(context=get_context()) becomes a client with the manager's name, configuration file and keyring."""
    try:
        import rados
    except ImportError:
        return
    original = rados.Rados

    class Rados(original):
        # The other bindings check the size of this class.
        __slots__ = ()

        def __init__(self, *args, **kwargs):
            context = kwargs.get('context')
            if isinstance(context, Context):
                del kwargs['context']
                kwargs.update(context.arguments())
            super(Rados, self).__init__(*args, **kwargs)

    Rados.__doc__ = original.__doc__
    rados.Rados = Rados


_sqlite = threading.Lock()
_sqlite_loaded = False


def _load_cephsqlite():
    """The `ceph` VFS of libcephsqlite, which the C++ manager links, as an extension; it takes its identity from CEPH_ARGS."""
    global _sqlite_loaded
    with _sqlite:
        if _sqlite_loaded:
            return
        arguments = ['--name', _setup['entity']]
        if _setup['conf_path']:
            arguments += ['--conf', _setup['conf_path']]
        for name, value in sorted(_setup['conf'].items()):
            arguments.append('--%s=%s' % (name, value))
        os.environ['CEPH_ARGS'] = ' '.join(arguments)
        loader = _connect(':memory:')
        loader.enable_load_extension(True)
        for path in ('libcephsqlite.so', '/usr/lib/x86_64-linux-gnu/ceph/libcephsqlite.so',
                     '/usr/lib64/ceph/libcephsqlite.so'):
            try:
                loader.load_extension(path)
                break
            except sqlite3.OperationalError as e:
                last = e
        else:
            raise sqlite3.OperationalError('libcephsqlite cannot be loaded (package libsqlite3-mod-ceph): %s' % last)
        _sqlite_loaded = True


_connect = sqlite3.connect


def _connect_with_ceph(database, *args, **kwargs):
    if isinstance(database, str) and 'vfs=ceph' in database:
        _load_cephsqlite()
    return _connect(database, *args, **kwargs)


sqlite3.connect = _connect_with_ceph
_adapt_rados()


class BaseMgrStandbyModule(object):
    def __init__(self, capsule):
        pass

    def _ceph_get(self, data_name):
        return _document('get', data_name)

    def _ceph_get_mgr_id(self):
        return _setup['mgr_id']

    def _ceph_get_module_option(self, key, prefix=None):
        return _module_option(_setup['module'], key, prefix)

    def _ceph_get_option(self, key):
        return _option(key)

    def _ceph_get_store(self, key):
        return _ask('store', key)

    def _ceph_get_active_uri(self):
        return _ask('active_uri')

    def _ceph_log(self, record):
        _link.note('log', record)


class BaseMgrModule(object):
    def __init__(self, py_modules_ptr, this_ptr):
        pass

    # This manager.

    def _ceph_exit(self, status, hard=False):
        sys.stderr.flush()
        _exit(status)

    def _ceph_get_version(self):
        return _setup['version']

    def _ceph_get_release_name(self):
        return _setup['release_name']

    def _ceph_lookup_release_name(self, major):
        return _ask('release_name', major)

    def _ceph_get_rocksdb_version(self):
        return _ask('rocksdb_version')

    def _ceph_get_mgr_id(self):
        return _setup['mgr_id']

    def _ceph_get_ceph_conf_path(self):
        return _setup['conf_path'] or ''

    def _ceph_get_context(self):
        return Context()

    def _ceph_have_mon_connection(self):
        return _ask('have_mon_connection')

    def _ceph_log(self, record):
        _link.note('log', record)

    def _ceph_cluster_log(self, channel, priority, message):
        _link.note('cluster_log', channel, int(priority), message)

    # The cluster.

    def _ceph_get(self, data_name):
        return _document('get', data_name)

    def _ceph_get_server(self, hostname):
        return _document('server', hostname)

    def _ceph_get_metadata(self, svc_type, svc_id):
        return _document('metadata', svc_type, svc_id)

    def _ceph_get_daemon_status(self, svc_type, svc_id):
        return _document('daemon_status', svc_type, svc_id)

    def _ceph_get_daemon_health_metrics(self):
        return _document('daemon_health_metrics')

    def _ceph_get_osdmap(self):
        import mgr_module
        return mgr_module.OSDMap(_Handle(_ask('osdmap', 'open')))

    # Counters.

    def _ceph_get_counter(self, svc_type, svc_name, path):
        return {path: _ask('counter', svc_type, svc_name, path)}

    _ceph_get_unlabeled_counter = _ceph_get_counter

    def _ceph_get_latest_unlabeled_counter(self, svc_type, svc_name, path):
        return {path: _counters.latest(svc_type, svc_name, path)}

    def _ceph_get_latest_counter(self, svc_type, svc_name, path, sub_counter_name=None, labels=None):
        if sub_counter_name is None:
            return {path: _counters.latest(svc_type, svc_name, path)}
        resolved = path
        if labels:
            # As the daemons write it: name, then label and value, each behind a zero byte.
            parts = [part for pair in labels for part in pair]
            resolved = path + '\0' + '\0'.join(parts) + '\0'
        return {path: _counters.latest(svc_type, svc_name, resolved + '.' + sub_counter_name)}

    def _ceph_get_unlabeled_perf_schema(self, svc_type, svc_name):
        return _counters.described(svc_type, svc_name, False)

    def _ceph_get_perf_schema(self, svc_type, svc_name):
        return _counters.described(svc_type, svc_name, _setup['release'] >= 19)

    # Options and the store.

    def _ceph_get_option(self, key):
        return _option(key)

    def _ceph_get_foreign_option(self, entity, key):
        kind, text = _ask('foreign_option', entity, key)
        return _typed(kind, text)

    def _ceph_get_module_option(self, module, key, localized_prefix=''):
        return _module_option(module, key, localized_prefix)

    def _ceph_set_module_option(self, module, key, val):
        _ask('set_module_option', module, key, val)

    def _ceph_get_store(self, key):
        return _ask('store', key)

    def _ceph_get_store_prefix(self, key_prefix):
        return json.loads(_link.call('store_prefix', key_prefix)[1])

    def _ceph_set_store(self, key, val):
        tail = b'' if val is None else val.encode()
        _ask('set_store', key, val is not None, tail=tail)

    # What the module tells.

    def _ceph_set_health_checks(self, checks):
        _link.note('health_checks', _checks(checks))

    def _ceph_set_uri(self, uri):
        _link.note('uri', uri)

    def _ceph_set_device_wear_level(self, devid, val):
        _ask('wear_level', devid, float(val))

    def _ceph_update_progress_event(self, evid, desc, progress, add_to_ceph_s):
        _link.note('progress', evid, desc, float(progress), bool(add_to_ceph_s))

    def _ceph_complete_progress_event(self, evid):
        _link.note('progress_complete', evid)

    def _ceph_clear_all_progress_events(self):
        _link.note('progress_clear')

    def _ceph_register_client(self, *args):
        # Before 18.2.5: the addresses alone.
        name, addrs, replace = args if len(args) == 3 else (None, args[0], False)
        _ask('register_client', name, addrs, bool(replace))

    def _ceph_unregister_client(self, *args):
        name, addrs = args if len(args) == 2 else (None, args[0])
        _ask('unregister_client', name, addrs)

    def _ceph_notify_all(self, what, tag):
        _link.note('notify_all', what, tag)

    # Commands and other modules.

    def _ceph_send_command(self, result, svc_type, svc_id, command, tag='', inbuf=None, one_shot=False):
        complete = result.complete
        if svc_type not in ('mon', 'osd', 'mds', 'pg', 'mgr'):
            raise ValueError('unknown service type: %s' % svc_type)
        if svc_type == 'osd':
            int(svc_id)
        if inbuf is None:
            inbuf = b''
        elif isinstance(inbuf, str):
            inbuf = inbuf.encode()

        def then(kind, head, tail):
            if kind == ERROR:
                complete(-22, '', head.get('message', ''))
            else:
                complete(head[0], bytes(tail).decode('utf-8', 'replace'), head[1])

        _link.call_later(then, 'send_command', svc_type, svc_id or '', command, tail=inbuf)

    def _ceph_dispatch_remote(self, module_name, method_name, args, kwargs):
        if module_name in _setup['native']:
            # Not in Python there: JSON goes both ways.
            return _ask('remote_native', module_name, method_name, list(args), kwargs)
        _, tail = _link.call('remote', module_name, method_name, tail=pickle.dumps((args, kwargs)))
        return pickle.loads(bytes(tail))

    def _ceph_is_authorized(self, arguments):
        token = getattr(current_command, 'token', None)
        if token is None:
            return False
        return _ask('is_authorized', token, {str(k): str(v) for k, v in arguments.items()})

    # Dynamic queries of what causes the load.

    def _ceph_add_osd_perf_query(self, query):
        return _ask('add_perf_query', 'osd', query)

    def _ceph_remove_osd_perf_query(self, query_id):
        _ask('remove_perf_query', 'osd', query_id)

    def _ceph_get_osd_perf_counters(self, query_id):
        return _ask('perf_query', 'osd', query_id)

    def _ceph_add_mds_perf_query(self, query):
        return _ask('add_perf_query', 'mds', query)

    def _ceph_remove_mds_perf_query(self, query_id):
        _ask('remove_perf_query', 'mds', query_id)

    def _ceph_reregister_mds_perf_queries(self):
        _ask('reregister_perf_queries')

    def _ceph_get_mds_perf_counters(self, query_id):
        return _ask('perf_query', 'mds', query_id)


def _checks(checks):
    """Health checks with what has the wrong type left out, as upstream does."""
    out = {}
    for code, check in checks.items():
        if not isinstance(check, dict):
            continue
        detail = check.get('detail')
        out[str(code)] = {
            'severity': check.get('severity') if isinstance(check.get('severity'), str) else '',
            'summary': check.get('summary') if isinstance(check.get('summary'), str) else '',
            'count': check.get('count') if isinstance(check.get('count'), int) else 0,
            'detail': [d for d in detail if isinstance(d, str)] if isinstance(detail, list) else [],
        }
    return out


class _Handle(object):
    """A map that Axon holds for this process, until nobody refers to it any more."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        try:
            _link.note('osdmap_drop', self.number)
        except Exception:
            pass


class BasePyOSDMap(object):
    def __init__(self, osdmap_capsule):
        if not isinstance(osdmap_capsule, _Handle):
            raise TypeError('Expected a handle of an OSD map, not %s' % type(osdmap_capsule).__name__)
        self._handle = osdmap_capsule

    def _ask(self, what, *args):
        return _ask('osdmap', what, self._handle.number, *args)

    def _get_epoch(self):
        return self._ask('epoch')

    def _get_crush_version(self):
        return self._ask('crush_version')

    def _dump(self):
        return _document('osdmap_dump', self._handle.number)

    def _new_incremental(self):
        import mgr_module
        return mgr_module.OSDMapIncremental(_Handle(self._ask('new_incremental')))

    def _apply_incremental(self, inc):
        import mgr_module
        return mgr_module.OSDMap(_Handle(self._ask('apply_incremental', inc._handle.number)))

    def _get_crush(self):
        import mgr_module
        return mgr_module.CRUSHMap(self._handle)

    def _get_pools_by_take(self, take):
        return {'pools': self._ask('pools_by_take', take)}

    def _calc_pg_upmaps(self, inc, max_deviation, max_iterations, pool):
        return self._ask('calc_pg_upmaps', inc._handle.number, max_deviation, max_iterations, pool)

    def _balance_primaries(self, pool_id, inc):
        return self._ask('balance_primaries', pool_id, inc._handle.number)

    def _map_pool_pgs_up(self, poolid):
        return self._ask('map_pool_pgs_up', poolid)

    def _pg_to_up_acting_osds(self, pool_id, ps):
        return self._ask('pg_to_up_acting_osds', pool_id, ps)

    def _pool_raw_used_rate(self, pool_id):
        return self._ask('pool_raw_used_rate', pool_id)

    @classmethod
    def _build_simple(cls, epoch=1, uuid=None, num_osd=-1):
        return cls(_Handle(_ask('osdmap', 'build_simple', epoch, uuid, num_osd)))


class BasePyOSDMapIncremental(object):
    def __init__(self, inc_capsule):
        self._handle = inc_capsule

    def _ask(self, what, *args):
        return _ask('osdmap', what, self._handle.number, *args)

    def _get_epoch(self):
        return self._ask('incremental_epoch')

    def _dump(self):
        return self._ask('incremental_dump')

    def _set_osd_reweights(self, weightmap):
        self._ask('set_osd_reweights', [[int(k), float(v)] for k, v in weightmap.items()])

    def _set_crush_compat_weight_set_weights(self, weightmap):
        self._ask('set_crush_compat_weight_set_weights', [[int(k), float(v)] for k, v in weightmap.items()])


class BasePyCRUSH(object):
    def __init__(self, crush_capsule):
        self._handle = crush_capsule

    def _ask(self, what, *args):
        return _ask('osdmap', what, self._handle.number, *args)

    def _dump(self):
        return _document('crush_dump', self._handle.number)

    def _get_item_weight(self, item):
        return self._ask('item_weight', item)

    def _get_item_name(self, item):
        return self._ask('item_name', item)

    def _find_roots(self):
        return {'roots': self._ask('roots')}

    def _find_takes(self):
        return {'takes': self._ask('takes')}

    def _get_take_weight_osd_map(self, root):
        return {'weights': self._ask('take_weights', root)}
