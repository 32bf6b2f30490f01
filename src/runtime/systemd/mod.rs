//! Units of the machine's service manager, over its message bus: the scope of a container and its properties.
//!
//! Which bus: the machine's for root, the user's own manager for everybody else.
//!
//! The client is our own: those there are bring threads or a runtime, and who speaks here is about to clone a container;
//! and they name their caller by his uid, which in a user namespace is not the one the bus sees.

mod bus;
pub mod devices;
pub mod unit;
mod wire;

pub use bus::{Error, Result};
pub use wire::Value;

use bus::Bus;
use wire::{Reader, Target};

const MANAGER: Target<'_> = Target {
    destination: "org.freedesktop.systemd1",
    path: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.systemd1.Manager",
};
const PROPERTIES: Target<'_> = Target { interface: "org.freedesktop.DBus.Properties", ..MANAGER };
const JOBS: &str = "type='signal',sender='org.freedesktop.systemd1',\
     interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";

/// Where buses are, as the environment has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buses {
    /// `$DBUS_SYSTEM_BUS_ADDRESS`
    pub system: Option<String>,
    /// `$DBUS_SESSION_BUS_ADDRESS`
    pub session: Option<String>,
    /// `$XDG_RUNTIME_DIR`
    pub runtime_dir: Option<String>,
}

impl Buses {
    /// `user`: of the user's own manager.
    fn address(&self, user: bool) -> String {
        let given = if user { &self.session } else { &self.system };
        let given = given.clone().filter(|address| !address.is_empty());
        given.unwrap_or_else(|| match self.runtime_dir.as_deref().filter(|_| user) {
            Some(dir) => format!("unix:path={}/bus", dir.trim_end_matches('/')),
            None if user => String::new(),
            None => "unix:path=/run/dbus/system_bus_socket;unix:path=/var/run/dbus/system_bus_socket".into(),
        })
    }
}

/// A connection to a service manager.
#[derive(Debug)]
pub struct Manager {
    bus: Bus,
}

impl Manager {
    pub fn connect(buses: &Buses, user: bool) -> Result<Manager> {
        let address = buses.address(user);
        if address.is_empty() {
            return Err(Error::Address("$DBUS_SESSION_BUS_ADDRESS and $XDG_RUNTIME_DIR are not set".into()));
        }
        Ok(Manager { bus: Bus::connect(&address)? })
    }

    /// The group below which its units are: empty for the machine's own.
    pub fn control_group(&mut self) -> Result<String> {
        let arguments = [Value::Text(MANAGER.interface.into()), Value::Text("ControlGroup".into())];
        let body = self.bus.call(PROPERTIES, "Get", &arguments)?;
        let mut reader = Reader::new(&body);
        reader.signature()?;
        Ok(reader.text()?.trim_end_matches('/').to_owned())
    }

    /// Makes the unit and waits until it is there, its processes in it.
    pub fn start(&mut self, unit: &str, properties: Vec<(String, Value)>) -> Result<()> {
        self.follow_jobs()?;
        let mode = Value::Text("fail".into());
        let arguments = [Value::Text(unit.into()), mode, Value::Properties(properties), Value::NoUnits];
        let mut made = self.bus.call(MANAGER, "StartTransientUnit", &arguments);
        if made.as_ref().is_err_and(|e| matches!(e, Error::Refused { name, .. } if name.ends_with(".UnitExists"))) {
            // One that failed keeps its name until somebody has taken notice.
            self.forget(unit);
            made = self.bus.call(MANAGER, "StartTransientUnit", &arguments);
        }
        self.finish(&made?, "StartTransientUnit")
    }

    /// Ends the unit. One that is gone is as good.
    pub fn stop(&mut self, unit: &str) -> Result<()> {
        self.follow_jobs()?;
        let stopped = self.bus.call(MANAGER, "StopUnit", &[Value::Text(unit.into()), Value::Text("replace".into())]);
        let stopped = match stopped {
            Err(Error::Refused { name, .. }) if name.ends_with(".NoSuchUnit") => Ok(()),
            other => other.and_then(|body| self.finish(&body, "StopUnit")),
        };
        self.forget(unit);
        stopped
    }

    /// Changes properties until the machine's next start.
    pub fn set(&mut self, unit: &str, properties: Vec<(String, Value)>) -> Result<()> {
        let arguments = [Value::Text(unit.into()), Value::Bool(true), Value::Properties(properties)];
        self.bus.call(MANAGER, "SetUnitProperties", &arguments).map(drop)
    }

    fn forget(&mut self, unit: &str) {
        // Nothing to forget is the usual case.
        let _ = self.bus.call(MANAGER, "ResetFailedUnit", &[Value::Text(unit.into())]);
    }

    fn follow_jobs(&mut self) -> Result<()> {
        self.bus.listen(JOBS)?;
        self.bus.call(MANAGER, "Subscribe", &[]).map(drop)
    }

    /// Waits for the end of the job that the answer names.
    fn finish(&mut self, answer: &[u8], member: &str) -> Result<()> {
        let job = Reader::new(answer).text()?;
        loop {
            let signal = self.bus.signal("JobRemoved")?;
            let mut reader = Reader::new(&signal.body);
            let (_number, ended, _unit, result) = (reader.u32()?, reader.text()?, reader.text()?, reader.text()?);
            if ended != job {
                continue;
            }
            return match result.as_str() {
                "done" => Ok(()),
                other => {
                    let words = format!("the job ended with '{other}'");
                    Err(Error::Refused { member: member.to_owned(), name: String::new(), words })
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_bus() {
        let buses = Buses { runtime_dir: Some("/run/user/5".into()), ..Buses::default() };
        assert!(buses.address(false).starts_with("unix:path=/run/dbus/system_bus_socket"));
        assert_eq!(buses.address(true), "unix:path=/run/user/5/bus");
        let buses = Buses { session: Some("unix:abstract=x".into()), system: Some("unix:path=/s".into()), ..buses };
        assert_eq!((buses.address(true), buses.address(false)), ("unix:abstract=x".into(), "unix:path=/s".into()));
        assert!(Manager::connect(&Buses::default(), true).is_err());
    }
}
