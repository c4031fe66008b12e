# The stock dashboard in its host: it serves over a Unix socket in a folder that only this user can enter, not over the cluster's
# port, which is Axon's. The module is the distribution's, unchanged; what is changed is what it finds around it: a few options,
# and where CherryPy's server binds (16.2, 18.2: `cherrypy.server`; 20.2: a server and adapter of `cherrypy_mgr`).
import os
import shutil
import tempfile

import ceph_module

# What Axon does itself: the port, TLS, CORS, the audit line.
OPTIONS = {
    'server_addr': '127.0.0.1',
    'ssl': False,
    'cross_origin_url': '',
    'AUDIT_API_ENABLED': False,
}


def prepare(link):
    """Before the module is imported. Tells Axon where it serves, once it does."""
    import cheroot.server
    import cherrypy
    from cherrypy.process import servers
    folder = tempfile.mkdtemp(prefix='axon-dashboard-')
    path = os.path.join(folder, 'http')
    ceph_module.options_of_host.update(OPTIONS)
    # The cluster's dashboard is the one in front.
    ceph_module.BaseMgrModule._ceph_set_uri = lambda self, uri: None
    cherrypy.server.socket_file = path

    server_init = cheroot.server.HTTPServer.__init__
    server_prepare = cheroot.server.HTTPServer.prepare
    adapter_init = servers.ServerAdapter.__init__

    def init_server(self, bind_addr, *args, **kwargs):
        server_init(self, path, *args, **kwargs)

    def init_adapter(self, bus, httpserver=None, bind_addr=None):
        adapter_init(self, bus, httpserver, path if isinstance(bind_addr, tuple) else bind_addr)

    def prepare_server(self, *args, **kwargs):
        server_prepare(self, *args, **kwargs)
        link.note('door', path)

    cheroot.server.HTTPServer.__init__ = init_server
    cheroot.server.HTTPServer.prepare = prepare_server
    servers.ServerAdapter.__init__ = init_adapter
    return lambda: shutil.rmtree(folder, ignore_errors=True)


def ask(what, argument):
    """What Axon asks of the module beside HTTP."""
    if what == 'users':
        from dashboard.services.access_control import load_access_control_db
        load_access_control_db()
        return True
    if what == 'tasks':
        from dashboard.tools import TaskManager
        return list(TaskManager.list_serializable(argument))
    raise NotImplementedError(what)
