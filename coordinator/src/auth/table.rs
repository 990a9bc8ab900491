//! What each method asks of its caller: every method that is served, and nothing else. A test holds it against the
//! descriptors, so that a new method cannot be forgotten.

use super::role::Role;

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Anybody: probes have no token.
    Open,
    /// Holders of a role that covers this one.
    Needs(Role),
}

/// One method.
#[derive(Clone, Copy, Debug)]
pub(super) struct Method {
    /// `/package.Service/Method`.
    pub(super) path: &'static str,
    /// Who may call it.
    pub(super) access: Access,
    /// It may change something that lasts, which is told to the audit trail.
    pub(super) changes: bool,
}

pub(super) const METHODS: [Method; 22] = [
    changing("/vico.v1.Sweeps/Submit", Role::Submit),
    // It reads whatever files the manifest names, which readers of results have no business with.
    reading("/vico.v1.Sweeps/Plan", Role::Submit),
    reading("/vico.v1.Sweeps/ListSweeps", Role::Read),
    reading("/vico.v1.Sweeps/DescribeSweep", Role::Read),
    reading("/vico.v1.Sweeps/DescribeJob", Role::Read),
    reading("/vico.v1.Sweeps/WatchSweep", Role::Read),
    reading("/vico.v1.Sweeps/Logs", Role::Read),
    changing("/vico.v1.Sweeps/CancelSweep", Role::Submit),
    changing("/vico.v1.Sweeps/RetrySweep", Role::Submit),
    reading("/vico.v1.Sweeps/ListWorkers", Role::Read),
    changing("/vico.v1.Sweeps/CordonWorker", Role::Admin),
    changing("/vico.v1.Sweeps/UncordonWorker", Role::Admin),
    changing("/vico.v1.Sweeps/DrainWorker", Role::Admin),
    changing("/vico.v1.Leases/Register", Role::Worker),
    changing("/vico.v1.Leases/Acquire", Role::Worker),
    // It only says that what was granted is still held.
    reading("/vico.v1.Leases/Renew", Role::Worker),
    changing("/vico.v1.Leases/Complete", Role::Worker),
    changing("/vico.v1.Leases/Fail", Role::Worker),
    changing("/vico.v1.Leases/Release", Role::Worker),
    open("/grpc.health.v1.Health/Check"),
    open("/grpc.health.v1.Health/Watch"),
    reading(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        Role::Read,
    ),
];

/// The method at a path of a request; `None` where nothing is served.
pub(super) fn method(path: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.path == path)
}

const fn open(path: &'static str) -> Method {
    Method {
        path,
        access: Access::Open,
        changes: false,
    }
}

const fn reading(path: &'static str, role: Role) -> Method {
    Method {
        path,
        access: Access::Needs(role),
        changes: false,
    }
}

const fn changing(path: &'static str, role: Role) -> Method {
    Method {
        path,
        access: Access::Needs(role),
        changes: true,
    }
}
