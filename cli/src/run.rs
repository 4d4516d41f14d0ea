//! One function per command: call the API, render the answer.

use mesh_admin_client::{
    AdminClient, Change, ClientError, CreateTenant, ModeChoice, Planned, read_token,
};

use crate::arguments::{Arguments, Command, Connection, LimitsCommand, Output, TenantCommand};
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
    let client = connect(&arguments.connection)?;
    match planned(&client, command).await? {
        Some(plan) => output::planned(&plan, arguments.output),
        None => changed(&client, command, arguments.output).await,
    }
}

/// What a change would do, for a dry run.
async fn planned(
    client: &AdminClient,
    command: &TenantCommand,
) -> Result<Option<Planned>, Failure> {
    let (create, limits);
    let change = match command {
        TenantCommand::Create { name, mode, plan } if plan.dry_run => {
            create = creation(name, *mode);
            Change::Create(&create)
        }
        TenantCommand::Delete { name, plan, .. } if plan.dry_run => Change::Delete(name),
        TenantCommand::Suspend { name, plan } if plan.dry_run => Change::Suspend(name),
        TenantCommand::Resume { name, plan } if plan.dry_run => Change::Resume(name),
        TenantCommand::Rename { name, to, plan } if plan.dry_run => Change::Rename(name, to),
        TenantCommand::Limits(LimitsCommand::Set { name, bounds, plan }) if plan.dry_run => {
            limits = bounds.over(client.limits(name).await?);
            Change::SetLimits(name, &limits)
        }
        _ => return Ok(None),
    };
    Ok(Some(client.plan(&change).await?))
}

async fn changed(
    client: &AdminClient,
    command: &TenantCommand,
    form: Output,
) -> Result<String, Failure> {
    match command {
        TenantCommand::Create { name, mode, .. } => {
            let (tenant, is_new) = client.create(&creation(name, *mode)).await?;
            let note = if is_new { "created" } else { "exists already" };
            output::tenant(&tenant, Some(note), form)
        }
        TenantCommand::List => output::tenants(&client.list().await?, form),
        TenantCommand::Show { name } => output::tenant(&client.get(name).await?, None, form),
        TenantCommand::Delete { name, yes, .. } => {
            if !yes {
                confirm::deletion(name)?;
            }
            output::tenant(&client.delete(name).await?, Some("deleted"), form)
        }
        TenantCommand::Suspend { name, .. } => {
            output::tenant(&client.suspend(name).await?, Some("suspended"), form)
        }
        TenantCommand::Resume { name, .. } => {
            output::tenant(&client.resume(name).await?, Some("resumed"), form)
        }
        TenantCommand::Rename { name, to, .. } => {
            let note = format!("was {name}");
            output::tenant(&client.rename(name, to).await?, Some(&note), form)
        }
        TenantCommand::Limits(LimitsCommand::Show { name }) => {
            output::limits(&client.limits(name).await?, form)
        }
        TenantCommand::Limits(LimitsCommand::Set { name, bounds, .. }) => {
            let limits = bounds.over(client.limits(name).await?);
            output::limits(&client.set_limits(name, &limits).await?, form)
        }
        TenantCommand::Usage { name } => output::usage(&client.usage(name).await?, form),
    }
}

fn creation(name: &str, mode: ModeChoice) -> CreateTenant {
    CreateTenant {
        name: name.to_owned(),
        mode,
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
