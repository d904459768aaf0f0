"""Lists the words that replies use to ask for no more, for more again, or for something near."""

import re

#: What asks for no more, as platforms print it below advertising and as people write.
OPT_OUT_WORDS = (
    *("T", "TD", "R", "N", "QX", "退订", "退", "退阅", "退出", "拒收", "拒绝", "拒绝接收", "取消"),
    *("取消订阅", "取消接收", "停止", "停止发送", "停止接收", "不接收", "不再接收", "不要再发"),
    *("STOP", "UNSUBSCRIBE", "UNSUB", "CANCEL", "END", "QUIT", "OPT OUT", "REMOVE"),
)
#: What asks for advertising again.
OPT_IN_WORDS = (
    *("订阅", "重新订阅", "恢复订阅", "恢复接收", "继续接收", "取消退订", "不退订"),
    *("START", "UNSTOP", "SUBSCRIBE", "RESUBSCRIBE", "OPT IN"),
)
#: What may stand beside a word: how a footer says to answer, and how people are polite.
FILLERS = (
    *("回", "回复", "请回", "请回复", "复", "请", "发", "发送", "请发送", "编辑", "短信", "信息"),
    *("谢谢", "谢", "多谢", "谢谢您", "您好", "你好", "reply", "please", "pls", "thanks", "thx"),
)
#: What is near to an answer wherever it stands in a reply: without blanks, and with them.
NEAR = re.compile(
    "退[订阅定顶丁]|推订|拒收|取消(?:订阅|接收|短信|服务|推送|发送)|停止发送|停止接收|黑名单|拉黑|屏蔽"
    "|骚扰|投诉|举报|12321"
    "|(?:不要|别|不用|勿|甭|不许|不准|禁止)(?:再|给我|向我|老是?|总是?|一直|乱|在|继续){0,3}"
    "(?:发|推送|打扰|来短信|烦我)|(?:不想|不愿意?|不要|不需要)(?:再|在|继续)?(?:收|接收)"
    "|勿扰|别打扰|不要打扰|删(?:除|掉)?了?我|把我删|^不(?:要|需要|用|收|接收)了?$|不接?收(?:广告|短信)"
    "|^(?:停|停发|拒|拒接|别发|勿发)了?吧?$|^[tr](?:吧|了|啊|呀|哦|掉|的)+$|tuiding|quxiao|qxtd"
)
NEAR_IN_LATIN = re.compile(
    r"(?<![a-z])(?:unsubscribe|stop|spam|opt ?out|remove me|no more|no thanks|td)(?![a-z-])"
    r"|^\W*no\W*$"
)
#: Characters of such replies that are written otherwise in traditional script.
TRADITIONAL = str.maketrans(
    "訂閱閲絕發復複覆請謝應編輯簡訊資號碼騷擾訴舉報單種們這還會開關別爲為無個來後對麼嗎許準禁總亂繼續刪",
    "订阅阅绝发复复复请谢应编辑简讯资号码骚扰诉举报单种们这还会开关别为为无个来后对么吗许准禁总乱继续删",
)
