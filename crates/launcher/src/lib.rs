//! Real Ceph daemons as plain processes in a folder.
