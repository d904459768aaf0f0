"""The words of the pages in both languages; a test compares their gaps."""

from collections.abc import Callable

from fastapi import Request

LANGUAGES = {"zh": "中文", "en": "English"}
COOKIE = "xinshi_language"

#: Each word: Chinese, English.
WORDS: dict[str, tuple[str, str]] = {
    "title": ("信使", "Xinshi"),
    "overview": ("概览", "Overview"),
    "campaigns": ("群发", "Campaigns"),
    "messages": ("短信", "Messages"),
    "message": ("短信", "Message"),
    "replies": ("上行", "Replies"),
    "doubts": ("未知", "Unknown"),
    "sign_in": ("登录", "Sign in"),
    "sign_out": ("退出", "Sign out"),
    "key": ("API 密钥", "API key"),
    "key_hint": (
        "具有 look 或 operate 权限的密钥：xinshi key create 姓名 --scope look",
        "A key with the scope look or operate: xinshi key create NAME --scope look",
    ),
    "key_wrong": ("此密钥无法登录", "This key does not open these pages"),
    "skip": ("跳到正文", "Skip to the content"),
    "language": ("语言", "Language"),
    "last_hour": ("最近一小时", "The last hour"),
    "waiting": ("等待发送", "Waiting"),
    "taken": ("网关已接收", "Taken by gateways"),
    "delivered": ("已送达", "Delivered"),
    "undelivered": ("未送达", "Undelivered"),
    "rejected": ("被拒绝", "Rejected"),
    "unknown": ("结果未知", "Unknown"),
    "submitted": ("已提交", "Submitted"),
    "submitting": ("提交中", "Submitting"),
    "queued": ("排队中", "Queued"),
    "expired": ("已过期", "Expired"),
    "cancelled": ("已取消", "Cancelled"),
    "suppressed": ("已退订", "Suppressed"),
    "per_minute": ("条/分钟，最近 60 分钟", "Messages a minute, the last 60 minutes"),
    "minute": ("分钟", "Minute"),
    "now": ("现在", "now"),
    "as_table": ("以表格显示", "As a table"),
    "accounts": ("账户", "Accounts"),
    "account": ("账户", "Account"),
    "gateway": ("网关", "Gateway"),
    "state": ("状态", "State"),
    "why": ("原因", "Why"),
    "under_way": ("进行中", "Under way"),
    "left": ("余额", "Left"),
    "as_of": ("截至", "As of"),
    "ok": ("正常", "OK"),
    "held": ("已暂停使用", "Held"),
    "in_doubt": ("待确认", "In doubt"),
    "in_doubt_why": ("上次调用结果不明，先试发一条", "its last call is unknown: one asks first"),
    "unproven": ("登录未验证", "Not proven"),
    "unproven_why": ("第一次调用将验证登录", "its first call shows whether its login works"),
    "less": ("流量降低", "Less traffic"),
    "china_mobile": ("中国移动", "China Mobile"),
    "china_unicom": ("中国联通", "China Unicom"),
    "china_telecom": ("中国电信", "China Telecom"),
    "china_broadnet": ("中国广电", "China Broadnet"),
    "virtual": ("虚拟运营商", "Virtual operators"),
    "login_refused": ("网关拒绝了此账户的登录：", "The gateway refused the login of this account:"),
    "login_same": (
        "配置中的登录没有改变：下一次调用仍会被拒绝，反复失败可能锁定账户。",
        "Its login is still the same: the next call is refused too; repeats may lock the account.",
    ),
    "login_shared": (
        "以下账户使用同一登录，将一同解除：",
        "With the same login, and released too:",
    ),
    "release_anyway": ("仍然解除", "Release it all the same"),
    "no_accounts": ("没有配置账户", "No account is configured"),
    "by_hand": ("直到人工解除", "until a person releases it"),
    "stop_sending": ("停止发送", "Stop sending"),
    "stop_sure": (
        "选中的类别将不再提交给网关，直到有人恢复；正在提交的会完成，新短信排队等待，过期的不再发送。",
        "Nothing of these goes out until somebody resumes it; what waits expires when it is over.",
    ),
    "class_stopped": ("已停止发送：", "Stopped:"),
    "hold": ("暂停使用", "Hold"),
    "release": ("解除", "Release"),
    "name": ("名称", "Name"),
    "class": ("类别", "Class"),
    "otp": ("验证码", "otp"),
    "notice": ("通知", "notice"),
    "marketing": ("营销", "marketing"),
    "total": ("总数", "Total"),
    "progress": ("进度", "Progress"),
    "created": ("创建于", "Created"),
    "started": ("开始于", "Started"),
    "finished": ("结束于", "Finished"),
    "loading": ("导入中", "Loading"),
    "ready": ("就绪", "Ready"),
    "running": ("发送中", "Running"),
    "scheduled": ("已定时", "Scheduled"),
    "paused": ("已暂停", "Paused"),
    "done": ("已完成", "Done"),
    "left_out": ("未导入", "Left out"),
    "invalid": ("号码无效", "invalid"),
    "repeated": ("重复号码", "repeated"),
    "start": ("开始", "Start"),
    "pause": ("暂停", "Pause"),
    "resume": ("继续", "Resume"),
    "cancel": ("取消", "Cancel"),
    "cancel_sure": (
        "确定取消？未提交的短信将不再发送",
        "Cancel? What was not submitted never goes",
    ),
    "export": ("导出 CSV", "Export as CSV"),
    "none_yet": ("暂无", "Nothing yet"),
    "number": ("号码", "Number"),
    "search": ("查找", "Search"),
    "any": ("全部", "any"),
    "id": ("编号", "Id"),
    "text": ("内容", "Text"),
    "code": ("代码", "Code"),
    "segments": ("计费条数", "Segments"),
    "gateway_id": ("网关编号", "Gateway's id"),
    "attempts": ("尝试次数", "Attempts"),
    "submission": ("提交", "Submission"),
    "submissions": ("提交记录", "Submissions"),
    "submission_planned": ("待提交", "Planned"),
    "submission_in_flight": ("已发出，等待应答", "In flight"),
    "submission_accepted": ("网关已接收", "Accepted"),
    "submission_rejected": ("网关拒绝", "Rejected"),
    "submission_not_sent": ("未发出", "Not sent"),
    "submission_unknown": ("结果未知", "Unknown"),
    "reports": ("状态报告", "Reports"),
    "events": ("事件", "Events"),
    "at": ("时间", "At"),
    "who": ("谁", "Who"),
    "detail": ("详情", "Detail"),
    "received": ("收到于", "Received"),
    "conversation": ("对话", "Conversation"),
    "from_them": ("对方", "They"),
    "from_us": ("我方", "We"),
    "hidden_code": ("验证码内容不显示", "the text of a code is not shown"),
    "no_doubts": ("没有未知结果的提交", "Nothing is unknown"),
    "called": ("提交于", "Called"),
    "evidence": ("依据", "Evidence"),
    "settle_submitted": ("网关已接收", "The gateway took it"),
    "settle_not_sent": ("网关未接收，重新排队", "It took nothing: queue again"),
    "settle_resend": ("再发一次（可能重复）", "Send once more (may arrive twice)"),
    "settle_why": ("您知道什么？", "What do you know?"),
    "settle": ("处理", "Settle"),
    "resent": ("已再发一次", "sent once more"),
    "wrong": ("出错了", "Something is wrong"),
    "back": ("返回", "Back"),
}


def language(request: Request) -> str:
    """Return the language that a browser chose, else the first that it prefers and we have."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    preferred = request.headers.get("accept-language", "").lower().split(",")
    languages = (code.partition(";")[0].strip().partition("-")[0] for code in preferred)
    return next((code for code in languages if code in LANGUAGES), "zh")


def speaker(language: str) -> Callable[[str], str]:
    """Return a function that translates a word of `WORDS`; any other word stays as it is."""
    column = list(LANGUAGES).index(language)
    return lambda word: WORDS[word][column] if word in WORDS else word
