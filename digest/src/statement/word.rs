//! The keywords that tell what a statement is and does.

macro_rules! words {
    ($($name:ident $text:literal)*) => {
        /// A bare word; everything that no rule looks at is `Other`.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(super) enum Word {
            /// Not a bare word.
            #[default]
            None,
            Other,
            $($name,)*
        }

        impl Word {
            pub(super) fn of(lower: &[u8]) -> Self {
                match lower {
                    $($text => Self::$name,)*
                    _ => Self::Other,
                }
            }
        }
    };
}

words! {
    Admin b"admin" Alter b"alter" Analyze b"analyze" As b"as" Backup b"backup" Batch b"batch"
    Begin b"begin" Binlog b"binlog" Calibrate b"calibrate" Call b"call" Cancel b"cancel"
    Change b"change" Character b"character" Charset b"charset" Checksum b"checksum"
    Column b"column" Commit b"commit" Create b"create" Data b"data" Database b"database"
    Databases b"databases" Deallocate b"deallocate" Default b"default" Delayed b"delayed"
    Delete b"delete" Desc b"desc" Describe b"describe" Distribute b"distribute" Do b"do"
    Drop b"drop" Dumpfile b"dumpfile" Except b"except" Execute b"execute" Exists b"exists"
    Explain b"explain" Flashback b"flashback" Flush b"flush" For b"for" From b"from"
    Global b"global" Grant b"grant" Group b"group" Having b"having" Help b"help"
    HighPriority b"high_priority" If b"if" Ignore b"ignore" Import b"import" In b"in"
    Index b"index" Insert b"insert" Instance b"instance" Intersect b"intersect" Into b"into"
    Join b"join" Key b"key" Kill b"kill" Lateral b"lateral" Like b"like" Limit b"limit"
    Load b"load" Local b"local" Lock b"lock" LowPriority b"low_priority" Names b"names"
    Not b"not" Of b"of" On b"on" Only b"only" Optimize b"optimize" Order b"order"
    Outfile b"outfile" Password b"password" Pause b"pause" Persist b"persist" Plan b"plan"
    Prepare b"prepare" Purge b"purge" Query b"query" Quick b"quick" Recommend b"recommend"
    Recover b"recover" References b"references" Refresh b"refresh" Release b"release"
    Rename b"rename" Repair b"repair" Replace b"replace" Resource b"resource"
    Restart b"restart" Restore b"restore" Resume b"resume" Revoke b"revoke" Role b"role"
    Rollback b"rollback" Savepoint b"savepoint" Schema b"schema" Schemas b"schemas"
    Select b"select" Sequence b"sequence" Session b"session" Set b"set" Share b"share"
    Show b"show" Shutdown b"shutdown" Split b"split" Start b"start" Stats b"stats" Stop b"stop"
    StraightJoin b"straight_join" Table b"table" Tables b"tables" Temporary b"temporary"
    Timestamp b"timestamp" To b"to" Trace b"trace" Traffic b"traffic" Transaction b"transaction"
    Truncate b"truncate" Union b"union" Unlock b"unlock" Update b"update" Use b"use"
    User b"user" Using b"using" Value b"value" Values b"values" View b"view" Where b"where"
    Window b"window" With b"with"
}
