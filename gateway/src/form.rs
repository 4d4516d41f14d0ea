//! The two crates that know keys each have a name for how one is written.

use mesh_proto::{Class, Form, Unhandled};

/// The codec's form for the schema's.
///
/// # Errors
/// Keys of PD's etcd are not the codec's: they are mapped by `etcd`.
pub fn form_of(form: Form) -> Result<mesh_keyspace::Form, Unhandled> {
    match form {
        Form::Raw => Ok(mesh_keyspace::Form::Raw),
        Form::Encoded => Ok(mesh_keyspace::Form::Encoded),
        Form::Etcd => Err(Unhandled::Class(Class::EtcdKey)),
    }
}
