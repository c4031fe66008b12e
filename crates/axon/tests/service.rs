//! `axon mgr` as a service manager sees it: a notify socket in the place of systemd's, and no monitor.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

struct Service {
    folder: PathBuf,
    socket: UnixDatagram,
    child: Child,
}

impl Service {
    fn start(name: &str) -> Service {
        let folder = std::env::temp_dir().join(format!("axon-service-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        // A port where nobody listens.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dir = folder.display();
        let conf = format!(
            "[global]\nmon_host = v2:127.0.0.1:{port}\nlog_file = {dir}/$name.log\nadmin_socket = {dir}/asok\n\
             keyring = {dir}/keyring\n"
        );
        std::fs::write(folder.join("ceph.conf"), conf).unwrap();
        let key = "[mgr.x]\n\tkey = AQBqKhJoAAAAABAAeG5xbmF4b25heG9uYXhvbg==\n";
        std::fs::write(folder.join("keyring"), key).unwrap();
        let socket = UnixDatagram::bind(folder.join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_axon"))
            .args(["mgr", "-i", "x", "-f", "-c"])
            .arg(folder.join("ceph.conf"))
            .env("NOTIFY_SOCKET", folder.join("notify"))
            .env("WATCHDOG_USEC", "3000000")
            .spawn()
            .unwrap();
        Service { folder, socket, child }
    }

    /// Waits for a line; those before it.
    fn hears(&self, wanted: &str) -> Vec<String> {
        let (begun, mut heard) = (Instant::now(), Vec::new());
        let mut bytes = [0; 4096];
        while begun.elapsed() < Duration::from_secs(20) {
            let length = self.socket.recv(&mut bytes).unwrap();
            heard.extend(String::from_utf8_lossy(&bytes[..length]).lines().map(str::to_owned));
            if heard.iter().any(|line| line == wanted) {
                return heard;
            }
        }
        panic!("{wanted} has not come: {heard:?}");
    }

    fn signal(&self, name: &str) {
        let done = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(done.unwrap().success());
    }

    fn log(&self) -> PathBuf {
        self.folder.join("mgr.x.log")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn wait_for(path: &Path) {
    let begun = Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{} is missing", path.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn systemd_hears_what_the_manager_does() {
    let mut service = Service::start("notify");
    service.hears("READY=1");
    service.hears("STATUS=looking for a monitor");

    // As logrotate does.
    wait_for(&service.log());
    std::fs::rename(service.log(), service.folder.join("mgr.x.log.1")).unwrap();
    service.signal("HUP");
    let heard = service.hears("RELOADING=1");
    if !heard.iter().any(|line| line == "READY=1") {
        service.hears("READY=1");
    }
    wait_for(&service.log());

    service.hears("WATCHDOG=1");
    service.signal("TERM");
    service.hears("STOPPING=1");
    assert!(service.child.wait().unwrap().success());
}
