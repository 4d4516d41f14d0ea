//! A MySQL session for comparing servers: whatever a statement brings back (columns, rows, error,
//! warnings) becomes plain text that two servers can be compared by.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder, Row, Value};

/// How long a server may take to answer a new connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// One connection.
#[derive(Debug)]
pub struct Session {
    conn: Conn,
}

/// All that a statement brought back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// One per result set.
    pub results: Vec<ResultSet>,
    /// The error, if it failed.
    pub error: Option<SqlError>,
    /// As `SHOW WARNINGS` lists them: level, code, message.
    pub warnings: Vec<Vec<String>>,
}

/// One result set, or the counts of a statement that returns none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResultSet {
    /// Column names with their types and flags.
    pub columns: Vec<String>,
    /// Values as text; SQL's NULL as `NULL`.
    pub rows: Vec<Vec<String>>,
    /// Rows changed.
    pub affected: u64,
    /// The first generated id.
    pub last_insert_id: Option<u64>,
}

/// An error as MySQL's protocol carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// The number, such as 1062.
    pub code: u16,
    /// The five-character state.
    pub state: String,
    /// The text.
    pub message: String,
}

impl Session {
    /// Connects as root without a password, as a fresh TiDB allows.
    ///
    /// # Errors
    /// When the server doesn't answer in time or refuses.
    pub async fn connect(address: &str) -> Result<Self> {
        Self::connect_to(address, None).await
    }

    /// Connects and selects a database.
    ///
    /// # Errors
    /// As [`Session::connect`], and when the database is unknown.
    pub async fn connect_to(address: &str, database: Option<&str>) -> Result<Self> {
        let options = options(address)?.user(Some("root")).db_name(database);
        Self::open(address, options).await
    }

    /// Connects as somebody else.
    ///
    /// # Errors
    /// As [`Session::connect`]; an error of the server can be taken from the chain.
    pub async fn connect_as(address: &str, user: &str, password: &str) -> Result<Self> {
        let options = options(address)?.user(Some(user)).pass(Some(password));
        Self::open(address, options).await
    }

    /// The driver's connection, for what this type has no word for.
    pub fn driver(&mut self) -> &mut Conn {
        &mut self.conn
    }

    /// Connects with the driver's own options.
    ///
    /// # Errors
    /// As [`Session::connect_as`].
    pub async fn open(address: &str, options: OptsBuilder) -> Result<Self> {
        let conn = tokio::time::timeout(CONNECT_LIMIT, Conn::new(options))
            .await
            .with_context(|| format!("{address} doesn't greet"))?
            .with_context(|| format!("cannot connect to {address}"))?;
        Ok(Self { conn })
    }

    /// Runs a statement and brings back everything, an SQL error included.
    ///
    /// # Errors
    /// Only when the connection breaks.
    pub async fn run(&mut self, statement: &str) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        match self.text(statement).await {
            Ok(results) => outcome.results = results,
            Err(mysql_async::Error::Server(error)) => outcome.error = Some(error.into()),
            Err(error) => {
                return Err(error).with_context(|| format!("connection lost at: {statement}"));
            }
        }
        if outcome.error.is_some() || self.conn.get_warnings() > 0 {
            let warnings = self.text("SHOW WARNINGS").await?;
            outcome.warnings = warnings.into_iter().flat_map(|set| set.rows).collect();
        }
        Ok(outcome)
    }

    /// Runs a statement through the binary protocol (prepare, execute), without parameters.
    ///
    /// # Errors
    /// Only when the connection breaks.
    pub async fn run_prepared(&mut self, statement: &str) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        match self.binary(statement).await {
            Ok(results) => outcome.results = results,
            Err(mysql_async::Error::Server(error)) => outcome.error = Some(error.into()),
            Err(error) => {
                return Err(error).with_context(|| format!("connection lost at: {statement}"));
            }
        }
        Ok(outcome)
    }

    /// Runs a statement that must succeed, and gives the rows of its last result set.
    ///
    /// # Errors
    /// When it fails.
    pub async fn rows(&mut self, statement: &str) -> Result<Vec<Vec<String>>> {
        let outcome = self.run(statement).await?;
        if let Some(error) = outcome.error {
            bail!("{}: {statement}", error.message);
        }
        Ok(outcome
            .results
            .into_iter()
            .next_back()
            .unwrap_or_default()
            .rows)
    }

    /// Runs a statement that must succeed, and gives its first value.
    ///
    /// # Errors
    /// When it fails or returns nothing.
    pub async fn value(&mut self, statement: &str) -> Result<String> {
        let rows = self.rows(statement).await?;
        rows.into_iter()
            .flatten()
            .next()
            .with_context(|| format!("no value from: {statement}"))
    }

    /// Runs a statement that must succeed.
    ///
    /// # Errors
    /// When it fails.
    pub async fn execute(&mut self, statement: &str) -> Result<()> {
        self.rows(statement).await.map(drop)
    }

    /// The server's id of this connection.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.conn.id()
    }

    async fn text(&mut self, statement: &str) -> mysql_async::Result<Vec<ResultSet>> {
        let mut answer = self.conn.query_iter(statement).await?;
        let mut results = Vec::new();
        loop {
            let mut set = described(answer.columns_ref());
            set.rows = answer
                .collect::<Row>()
                .await?
                .into_iter()
                .map(as_texts)
                .collect();
            set.affected = answer.affected_rows();
            set.last_insert_id = answer.last_insert_id();
            results.push(set);
            if answer.is_empty() {
                return Ok(results);
            }
        }
    }

    async fn binary(&mut self, statement: &str) -> mysql_async::Result<Vec<ResultSet>> {
        let prepared = self.conn.prep(statement).await?;
        let mut answer = self.conn.exec_iter(&prepared, ()).await?;
        let mut set = described(answer.columns_ref());
        set.rows = answer
            .collect::<Row>()
            .await?
            .into_iter()
            .map(as_texts)
            .collect();
        set.affected = answer.affected_rows();
        drop(answer);
        self.conn.close(prepared).await?;
        Ok(vec![set])
    }
}

/// Options for a server at `HOST:PORT`.
///
/// # Errors
/// When the address isn't of this form.
pub fn options(address: &str) -> Result<OptsBuilder> {
    let (host, port) = address
        .rsplit_once(':')
        .context("an address is HOST:PORT")?;
    Ok(OptsBuilder::default()
        .ip_or_hostname(host)
        .tcp_port(port.parse()?)
        .prefer_socket(false))
}

/// The server's error that a connection attempt ended with.
#[must_use]
pub fn refusal(error: &anyhow::Error) -> Option<SqlError> {
    let causes = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<mysql_async::Error>());
    causes.into_iter().find_map(|cause| match cause {
        mysql_async::Error::Server(error) => Some(error.clone().into()),
        _ => None,
    })
}

impl From<mysql_async::ServerError> for SqlError {
    fn from(error: mysql_async::ServerError) -> Self {
        Self {
            code: error.code,
            state: error.state,
            message: error.message,
        }
    }
}

impl Outcome {
    /// The outcome as text, for comparing and for reading.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        for set in &self.results {
            if !set.columns.is_empty() {
                let _ = writeln!(text, "columns: {}", set.columns.join(" | "));
            }
            for row in &set.rows {
                let _ = writeln!(text, "row: {}", row.join(" | "));
            }
            let _ = writeln!(
                text,
                "affected {} id {:?}",
                set.affected, set.last_insert_id
            );
        }
        if let Some(error) = &self.error {
            let _ = writeln!(
                text,
                "error {} ({}): {}",
                error.code, error.state, error.message
            );
        }
        for warning in &self.warnings {
            let _ = writeln!(text, "warning: {}", warning.join(" | "));
        }
        text
    }
}

fn described(columns: &[mysql_async::Column]) -> ResultSet {
    let columns = columns
        .iter()
        .map(|column| {
            let name = column.name_str();
            format!(
                "{name} {:?} {:?} {}",
                column.column_type(),
                column.flags(),
                column.decimals()
            )
        })
        .collect();
    ResultSet {
        columns,
        ..ResultSet::default()
    }
}

fn as_texts(row: Row) -> Vec<String> {
    row.unwrap()
        .into_iter()
        .map(|value| as_text(&value))
        .collect()
}

fn as_text(value: &Value) -> String {
    match value {
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => format!("0x{}", hex::encode(bytes)),
        },
        Value::NULL => "NULL".to_owned(),
        Value::Int(_)
        | Value::UInt(_)
        | Value::Float(_)
        | Value::Double(_)
        | Value::Date(..)
        | Value::Time(..) => value.as_sql(true),
    }
}
