"""Lists the words that placeholders are commonly called, as templates of platforms have them."""

_IN_LATIN = """
name username user_name user nickname customer code captcha verifycode otp phone mobile tel order
orderno order_no orderid order_id amount price money date time link url var param
"""
_IN_CHINESE = """
姓名 名字 昵称 称呼 客户 客户名 客户姓名 客户名称 用户 用户名 用户姓名 会员名 会员姓名 收件人
手机 手机号 手机号码 电话号码 验证码 动态码 校验码 订单 订单号 订单编号 快递单号 运单号
金额 余额 价格 日期 时间 链接 网址 变量 参数 公司名称 公司名 店铺名 商品名 商品名称 车牌号
"""
#: In lower case.
COMMON_NAMES = frozenset((_IN_LATIN + _IN_CHINESE).split())
