"""Runs operations on one librados connection: JSON list on stdin, one JSON reply per line on stdout."""
import concurrent.futures
import json
import os
import sys
import uuid

import rados


def connect(conf, timeout, name="client.admin", key=None):
    cluster = rados.Rados(conffile=conf, name=name)
    if key:
        cluster.conf_set("key", key)
        cluster.conf_set("keyring", "")
    for key in ("rados_mon_op_timeout", "rados_osd_op_timeout", "client_mount_timeout"):
        cluster.conf_set(key, str(timeout))
    cluster.connect(timeout=timeout)
    return cluster


def mon(cluster, cmd, inbuf=b""):
    ret, out, err = cluster.mon_command(json.dumps(cmd), inbuf)
    return {"ret": ret, "out": out.decode("utf-8", "replace"), "err": err}


def mgr(cluster, cmd):
    ret, out, err = cluster.mgr_command(json.dumps(cmd), b"")
    return {"ret": ret, "out": out.decode("utf-8", "replace"), "err": err}


class Others:
    """Connections of other entities, one each."""

    def __init__(self, conf, timeout):
        self.conf, self.timeout, self.clusters = conf, timeout, {}

    def mgr_as(self, _, op):
        if op["entity"] not in self.clusters:
            self.clusters[op["entity"]] = connect(self.conf, self.timeout, op["entity"], op["key"])
        cluster = self.clusters[op["entity"]]
        ret, out, err = cluster.mgr_command(json.dumps(op["cmd"]), b"", 0, op["target"] or None)
        return {"ret": ret, "out": out.decode("utf-8", "replace"), "err": err}


def put(cluster, op):
    with cluster.open_ioctx(op["pool"]) as ioctx:
        data = (op["object"].encode() * (op["size"] // len(op["object"]) + 1))[: op["size"]]
        for n in range(op["count"]):
            ioctx.write_full("%s-%d" % (op["object"], n), data)
    return {"ret": 0, "out": "", "err": ""}


def rbd_image(cluster, op):
    import rbd

    with cluster.open_ioctx(op["pool"]) as ioctx:
        rbd.RBD().pool_init(ioctx, True)
        rbd.RBD().create(ioctx, op["image"], op["size"])
        with rbd.Image(ioctx, op["image"]) as image:
            image.write(b"axon" * 1024, 0)
    return {"ret": 0, "out": "", "err": ""}


def empty_osds(cluster, op):
    """OSDs without data behind them, placed below a CRUSH root of their own so that no PG looks for them.

    `osd create`, not `osd new`: the latter forces a map epoch each, and 10,000 epochs of a big map fill the
    monitor's and every OSD's disk. Commands that wait at the same time here share an epoch.
    """
    root, per_host = op["root"], op["per_host"]

    def create(_):
        return mon(cluster, {"prefix": "osd create", "uuid": str(uuid.uuid4()), "format": "json"})

    def place(number):
        args = ["host=empty%d" % (number // per_host), "root=" + root]
        return mon(cluster, {"prefix": "osd crush create-or-move", "id": number, "weight": 1.0, "args": args})

    def numbers(replies):
        return [json.loads(r["out"])["osdid"] for r in replies]

    mon(cluster, {"prefix": "osd crush add-bucket", "name": root, "type": "root"})
    with concurrent.futures.ThreadPoolExecutor(op["threads"]) as pool:
        created = list(pool.map(create, range(op["count"])))
        failed = [r for r in created if r["ret"] != 0]
        if failed:
            return failed[0]
        placed = list(pool.map(place, numbers(created)))
    failed = [r for r in placed if r["ret"] != 0]
    return failed[0] if failed else {"ret": 0, "out": str(len(placed)), "err": ""}


KINDS = {
    "mon": lambda cluster, op: mon(cluster, op["cmd"], op["input"].encode()),
    "mgr": lambda cluster, op: mgr(cluster, op["cmd"]),
    "put": put,
    "rbd_image": rbd_image,
    "empty_osds": empty_osds,
}


def run(conf, timeout):
    ops = json.load(sys.stdin)
    others = Others(conf, timeout)
    kinds = dict(KINDS, mgr_as=others.mgr_as)
    try:
        cluster = connect(conf, timeout)
    except rados.Error as e:
        sys.exit("no connection to a monitor: %s" % e)
    for op in ops:
        try:
            reply = kinds[op["kind"]](cluster, op)
        except Exception as e:
            reply = {"ret": -(getattr(e, "errno", None) or 5), "out": "", "err": "%s: %s" % (type(e).__name__, e)}
        print(json.dumps(reply), flush=True)
    for one in [cluster, *others.clusters.values()]:
        one.shutdown()
    # Threads of librados that outlive the interpreter meet an OpenSSL that is gone, and abort the process.
    os._exit(0)


run(sys.argv[1], int(sys.argv[2]))
