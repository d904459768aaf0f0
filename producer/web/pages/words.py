"""What the pages say, in both languages. A test holds them to the same words and the same gaps."""

from collections.abc import Callable

from fastapi import Request

LANGUAGES = {"zh": "中文", "en": "English"}
COOKIE = "xinshi_language"

#: Each word: Chinese, English.
WORDS: dict[str, tuple[str, str]] = {
    "title": ("信使", "Xinshi"),
    "overview": ("概览", "Overview"),
    "campaigns": ("群发", "Campaigns"),
    "campaign": ("群发任务", "Campaign"),
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
    "as_table": ("以表格显示", "As a table"),
    "accounts": ("账户", "Accounts"),
    "account": ("账户", "Account"),
    "gateway": ("网关", "Gateway"),
    "state": ("状态", "State"),
    "why": ("原因", "Why"),
    "since": ("自", "Since"),
    "until": ("至", "Until"),
    "under_way": ("进行中", "Under way"),
    "left": ("余额", "Left"),
    "as_of": ("截至", "As of"),
    "ok": ("正常", "OK"),
    "held": ("已暂停使用", "Held"),
    "in_doubt": ("待确认", "In doubt"),
    "no_accounts": ("没有配置账户", "No account is configured"),
    "by_hand": ("直到人工解除", "until a person releases it"),
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
    "history": ("经过", "History"),
    "submission": ("提交", "Submission"),
    "submissions": ("提交记录", "Submissions"),
    "reports": ("状态报告", "Reports"),
    "events": ("事件", "Events"),
    "at": ("时间", "At"),
    "who": ("谁", "Who"),
    "detail": ("详情", "Detail"),
    "received": ("收到于", "Received"),
    "older": ("更早", "Older"),
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
    "settled_already": ("此提交已有结果", "It was settled already"),
    "wrong": ("出错了", "Something is wrong"),
    "back": ("返回", "Back"),
}


def language(request: Request) -> str:
    """Return the language that a browser chose, else the first that it prefers and we have."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    preferred = request.headers.get("accept-language", "").lower().split(",")
    wanted = (one.partition(";")[0].strip().partition("-")[0] for one in preferred)
    return next((one for one in wanted if one in LANGUAGES), "zh")


def speaker(language: str) -> Callable[[str], str]:
    """Return a function that says a word in a language; a word that is unknown stays itself."""
    nth = list(LANGUAGES).index(language)
    return lambda word: WORDS[word][nth] if word in WORDS else word
