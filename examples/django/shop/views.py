"""The shop's one page."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from producer import Refused
from shop import orders


@csrf_exempt
@require_POST
def order(request: HttpRequest) -> JsonResponse:
    """Take an order."""
    try:
        placed = orders.place(request.POST.get("number", ""), request.POST.get("item", ""))
    except Refused as refused:
        return JsonResponse({"problems": [str(one) for one in refused.problems]}, status=422)
    return JsonResponse({"order": placed.pk, "text": placed.text}, status=201)
