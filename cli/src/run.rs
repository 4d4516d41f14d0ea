//! One function per command: call the API, render the answer.

use mesh_admin_client::{AdminClient, ClientError, CreateTenant, read_token};

use crate::arguments::{Arguments, Command, Connection, TenantCommand};
use crate::confirm::{self, NotConfirmed};
use crate::output;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The API.
    #[error(transparent)]
    Api(#[from] ClientError),
    /// No gateway to talk to.
    #[error("no gateway is named: give its admin address (--admin or TIDB_MESH_ADMIN)")]
    NoAddress,
    /// A deletion that nobody confirmed.
    #[error(transparent)]
    NotConfirmed(#[from] NotConfirmed),
    /// The result can't be rendered or written.
    #[error("can't write the result: {0}")]
    Io(#[from] std::io::Error),
}

impl Failure {
    /// 2 for what another command line would mend, else 1.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Failure::Api(ClientError::BadAddress { .. } | ClientError::TokenFile { .. })
            | Failure::NoAddress
            | Failure::NotConfirmed(NotConfirmed::NoTerminal) => 2,
            Failure::Api(_) | Failure::NotConfirmed(NotConfirmed::Declined) | Failure::Io(_) => 1,
        }
    }
}

/// Runs a command; returns what goes to standard output.
pub(crate) async fn run(arguments: &Arguments) -> Result<String, Failure> {
    let command = match &arguments.command {
        Command::Tenant(command) => command,
        Command::Completion { .. } => return Ok(String::new()),
    };
    if let TenantCommand::Delete { name, yes: false } = command {
        confirm::deletion(name)?;
    }
    let client = connect(&arguments.connection)?;
    let form = arguments.output;
    match command {
        TenantCommand::Create { name, mode } => {
            let body = CreateTenant {
                name: name.clone(),
                mode: *mode,
            };
            let (tenant, is_new) = client.create(&body).await?;
            let note = if is_new { "created" } else { "exists already" };
            output::tenant(&tenant, Some(note), form)
        }
        TenantCommand::List => output::tenants(&client.list().await?, form),
        TenantCommand::Show { name } => output::tenant(&client.get(name).await?, None, form),
        TenantCommand::Delete { name, .. } => {
            output::tenant(&client.delete(name).await?, Some("deleted"), form)
        }
    }
}

fn connect(connection: &Connection) -> Result<AdminClient, Failure> {
    let address = connection.admin.as_deref().ok_or(Failure::NoAddress)?;
    let token = connection
        .token_file
        .as_deref()
        .map(read_token)
        .transpose()?;
    Ok(AdminClient::new(address, token)?)
}
