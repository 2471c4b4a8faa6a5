"""The commands of `accord`, their options and exit codes."""

import typer

from app.cli import (
    accepted_cas,
    api_keys,
    demo,
    export,
    help,
    import_register,
    issuer_keys,
    jobs,
    keys,
    lock,
    lock_cms,
    lock_timestamp,
    log,
    migrate,
    recognize,
    serve,
    statement,
    status,
    trust_anchors,
    verify_receipt,
    verify_signature,
)

application = typer.Typer(
    name="accord",
    no_args_is_help=True,
    # Its tables cut Chinese text: see `app.cli.help`.
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="川渝互认：一张证件在另一地算不算数，为什么。 / Does a credential count in the other jurisdiction, and why?",
)
application.command("demo", help="建立并启动演示环境 / Set up a demonstration and serve it")(demo.demo)
application.command("serve", help="启动服务 / Serve")(serve.serve)
application.command("migrate", help="建库或升级 / Create or upgrade a store")(migrate.migrate)
application.command("recognize", help="查询是否互认 / Ask whether a credential counts")(recognize.recognize)
application.command("verify-receipt", help="离线核验凭证 / Check a receipt offline")(verify_receipt.verify)
application.command("verify-signature", help=verify_signature.HELP, short_help="核验文件签名 / Judge signatures")(
    verify_signature.verify
)
application.command("import", help=import_register.HELP, short_help="导入登记簿 / Load a register")(
    import_register.import_register
)
application.command("export", help=export.HELP, short_help="导出登记簿 / Export a register")(export.export)
application.add_typer(keys.keys, name="keys", help="签名密钥 / Signing keys")
application.add_typer(api_keys.api_keys, name="apikeys", help="调用密钥 / Keys to call with")
application.add_typer(issuer_keys.issuer_keys, name="issuer-keys", help="发证机关的公钥 / Issuers' keys")
application.add_typer(statement.statement, name="statement", help="发证机关的声明 / What an issuer states")
application.add_typer(log.log, name="log", help="登记日志 / The log of the registers")
application.add_typer(status.status, name="status", help="状态列表 / Status lists")
lock.lock.command("cms", help=lock_cms.HELP)(lock_cms.cms)
lock.lock.command("timestamp", help=lock_timestamp.HELP)(lock_timestamp.timestamp)
application.add_typer(lock.lock, name="lock", help="测试锁 / Test locks")
application.add_typer(trust_anchors.trust_anchors, name="trust-anchors", help="信任锚 / Trust anchors")
application.add_typer(accepted_cas.accepted_cas, name="accepted-cas", help="认可的电子认证机构 / Accepted authorities")
application.add_typer(jobs.jobs, name="jobs", help="定期任务 / Jobs to be repeated")
help.never_cut(application)
