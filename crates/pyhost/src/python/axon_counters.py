# Performance counters of daemons as Axon has told them (`answers/perf.rs` is the other end). Asked again, Axon tells the values of
# those daemons only that have reported since; a schema is told once for all daemons that have it, and is forgotten with the last.
#
# Invariant: what is given away is made for the caller, who may change it.
import json
import threading
from time import monotonic

# What Axon told serves this long; daemons report every few seconds.
FRESH_SECS = 1.0

# Types with no more daemons than this are asked for along with any other: a question costs more than they do.
ALONG_MAX = 100

LONGRUNAVG = 4


class Schema(object):
    """What daemons declare: where each counter's values are, and what upstream tells of it."""
    __slots__ = ('columns', 'plain', 'types', '_grouped')

    def __init__(self, types):
        self.columns, self.plain, self.types, self._grouped = {}, {}, types, None
        at = 0
        for path, _, _, kind, _, _ in types:
            average = bool(kind & LONGRUNAVG)
            self.columns[path] = (at, average)
            at += 2 if average else 1
        for counter in types:
            if '\0' not in counter[0]:
                self.plain[counter[0]] = _described(counter)

    def unlabelled(self):
        """{path: {…}}"""
        return {path: counter.copy() for path, counter in self.plain.items()}

    def labelled(self):
        """{name: [{'labels': {…}, 'counters': {…}}]}"""
        if self._grouped is None:
            self._grouped = _grouped(self.types)
        return {name: [{'labels': dict(labels), 'counters': {last: counter.copy() for last, counter in counters.items()}}
                       for labels, counters in groups.items()]
                for name, groups in self._grouped.items()}


def _described(counter):
    _, description, nick, kind, priority, units = counter
    if nick:
        return {'description': description, 'nick': nick, 'type': kind, 'priority': priority, 'units': units}
    return {'description': description, 'type': kind, 'priority': priority, 'units': units}


def _grouped(types):
    """{name: {labels: {counter: {…}}}}: a path is `name.counter`, or `name\\0label\\0value\\0….counter`."""
    out = {}
    for counter in types:
        head, _, last = counter[0].rpartition('.')
        name, *parts = head.split('\0')
        labels = tuple((label, value) for label, value in zip(parts[::2], parts[1::2]) if label)
        out.setdefault(name, {}).setdefault(labels, {})[last] = _described(counter)
    return out


class Kind(object):
    """The daemons of a type."""
    __slots__ = ('until', 'seen', 'daemons')

    def __init__(self):
        self.until = 0.0
        self.seen = 0
        # {name: (time, columns, values, schema)}
        self.daemons = {}


class Counters(object):
    def __init__(self, call):
        self.call = call
        self.lock = threading.Lock()
        self.kinds = {}
        self.schemas = {}

    def latest(self, svc_type, svc_id, path):
        """[time, value], of an average [time, sum, count], or nothing."""
        kind = self.kinds.get(svc_type)
        if kind is None or kind.until < monotonic():
            kind = self._fetch(svc_type)
        try:
            t, columns, values, _ = kind.daemons[svc_id]
            at, average = columns[path]
        except KeyError:
            return []
        return [t, values[at], values[at + 1]] if average else [t, values[at]]

    def described(self, svc_type, svc_id, labelled):
        """What the daemons of a type (or one, or all) declare."""
        made = Schema.labelled if labelled else Schema.unlabelled
        if svc_type and svc_id:
            daemon = self._fetch(svc_type).daemons.get(svc_id)
            if daemon is not None:
                return {'%s.%s' % (svc_type, svc_id): made(daemon[3])}
        declared = self.call('counters_declared', svc_type or '', svc_id or '')[0]
        with self.lock:
            schemas = self._schemas(number for _, number in declared)
        return {name: made(schemas[number]) for name, number in declared if number in schemas}

    def _fetch(self, svc_type):
        """The daemons of a type, asked for unless what was told is fresh."""
        with self.lock:
            kind = self.kinds.get(svc_type)
            if kind is None:
                kind = self.kinds[svc_type] = Kind()
            elif kind.until >= monotonic():
                return kind
            kinds = {name: along for name, along in self.kinds.items()
                     if along is kind or len(along.daemons) <= ALONG_MAX}
            head, tail = self.call('counters', {name: along.seen for name, along in kinds.items()})
            self._take(kinds, head, tail)
            return kind

    def _take(self, kinds, head, tail):
        changes, rows, names = head
        schemas = self._schemas({row[2] for row in rows})
        view, at = memoryview(tail), 0
        for svc_type, name, number, t, count in rows:
            end = at + 8 * count
            daemons, schema = kinds[svc_type].daemons, schemas.get(number)
            if schema is None:
                # Its daemon has changed again and is told the next time.
                daemons.pop(name, None)
            elif t is None:
                daemons[name] = (0.0, {}, (), schema)
            else:
                # A copy, so that a daemon that falls silent does not hold what came with its last report.
                daemons[name] = (t, schema.columns, memoryview(bytes(view[at:end])).cast('Q'), schema)
            at = end
        for svc_type, known in names.items():
            daemons, known = kinds[svc_type].daemons, set(known)
            for name in [name for name in daemons if name not in known]:
                del daemons[name]
        until = monotonic() + FRESH_SECS
        for kind in kinds.values():
            kind.seen, kind.until = changes, until

    def _schemas(self, numbers):
        """Schemas by number; what Axon has forgotten is not there."""
        numbers = set(numbers)
        lacking = sorted(numbers - self.schemas.keys())
        if lacking:
            told = json.loads(self.call('counter_schemas', lacking)[1])
            used = {id(daemon[3]) for kind in list(self.kinds.values()) for daemon in list(kind.daemons.values())}
            self.schemas = {number: schema for number, schema in self.schemas.items()
                            if number in numbers or id(schema) in used}
            self.schemas.update((number, Schema(types)) for number, types in zip(lacking, told) if types is not None)
        return self.schemas
