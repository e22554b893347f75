"""Running a platform: its configuration, address, data folder, database and backups."""

from palio.core.errors.kinds import Cause, FailureKind

_S = Cause.PLATFORM

KINDS: dict[str, FailureKind] = {
    "configuration-invalid": FailureKind(
        _S,
        "The configuration has {count}.",
        "Fix what is listed; `palio serve --help` and docs/operate.md describe each setting.",
    ),
    "serving-unsafe": FailureKind(
        _S,
        "With this configuration, other machines can reach the platform ({where}), and {count} that this requires.",
        "Set what is listed, in palio.toml or the environment; docs/operate.md has a complete example. Without --host "
        "and --url, only this machine can reach the platform, and none of it is required.",
    ),
    "port-taken": FailureKind(
        _S,
        "The platform cannot listen on {address}: {reason}.",
        "{next_step}",
    ),
    "data-in-use": FailureKind(
        _S,
        "{path} is in use: {what} already runs on it, as process {process}.",
        "Use that one, stop it first, or name another folder with --data.",
    ),
    "controllers-need-postgresql": FailureKind(
        _S,
        "{path} is in use: {what} already runs on it, as process {process}, and with SQLite there can only be one.",
        "Use that one, or stop it first. With PostgreSQL (`database_url`), several controllers share the work.",
    ),
    "data-not-shared": FailureKind(
        _S,
        "{path} is not the data folder that belongs to this database: the files of {whose} are missing there.",
        "Mount the same data folder on every machine that runs Palio with this database, and name it with --data; see "
        "docs/operate.md, *Several controllers*.",
    ),
    "database-older": FailureKind(
        _S,
        "The database {database} is of an older version of Palio: it lacks {count} of this version.",
        "Start the platform once with this version (palio serve), or run the command with the older version.",
    ),
    "database-newer": FailureKind(
        _S,
        "A newer version of Palio has used the database {database}: it has migrations that this version, {version}, "
        "does not know.",
        "Install the newer version again, or restore an older backup with `palio restore`.",
    ),
    "database-unusable": FailureKind(
        _S,
        "The database {database} cannot be used: {reason}.",
        "{next_step}",
    ),
    "store-unreachable": FailureKind(
        _S,
        "The file store {store} cannot be reached: {reason}.",
        "Check that the service runs and that this machine reaches it; see docs/operate.md, *File store*. Nothing that "
        "the platform accepted is lost, and unfinished uploads are kept for a day.",
        retried=True,
    ),
    "store-refused": FailureKind(
        _S,
        "The file store {store} cannot be used: {reason}.",
        "{next_step}",
        retried=True,
    ),
    "store-damaged": FailureKind(
        _S,
        "The file {file} in the store {store} is not what was stored there: {reason}.",
        "Copy the file from a backup, where it is `store/` and its first two digits; then run the attempt again.",
    ),
    "backup-invalid": FailureKind(
        _S,
        "{path} cannot be restored: {reason}.",
        "Restore another backup; nothing was written.",
    ),
}
