"""Questions asked side by side, each on its own deadline; one that fails becomes a fact, not the end of the others."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from provisioning.azure.error_codes import NOT_REGISTERED_CODES
from provisioning.errors import ProvisioningError, SignInError, SubscriptionError, ThrottledError, TransientError
from provisioning.survey_types import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioning.survey_types import Topic

QUESTION_SECONDS = 20.0

_ASK_AGAIN = "ask again with: llamalift plan RUN.yaml"

AnswerT = TypeVar("AnswerT")
FallbackT = TypeVar("FallbackT")


class Pending(Generic[AnswerT]):
    """One question on its way; its thread is a daemon, so that a cloud that takes its time holds nobody up."""

    def __init__(
        self, topic: Topic, region: str, question: Callable[[], AnswerT], seconds: float = QUESTION_SECONDS
    ) -> None:
        self.topic = topic
        self.region = region
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._question = question
        self._answers: list[AnswerT] = []
        self._error: BaseException | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._run, name=f"survey {topic} {region}", daemon=True).start()

    def wait(self) -> AnswerT:
        """The answer.

        Raises:
            TransientError: There is none in time; 20 seconds from asking, unless told otherwise.
            ProvisioningError: What the question raised.
        """
        if not self._ended.wait(max(0.0, self._deadline - time.monotonic())):
            asked = f"{self.topic} in {self.region}" if self.region else str(self.topic)
            raise TransientError(
                f"no answer from the cloud within {self._seconds:.0f} s, asked about: {asked}",
                hint=_ASK_AGAIN,
            )
        if self._error is not None:
            raise self._error
        return self._answers[0]

    def _run(self) -> None:
        try:
            self._answers.append(self._question())
        except BaseException as error:  # noqa: BLE001  (handed to the thread that waits for it)
            self._error = error
        self._ended.set()


class Interview:
    """Asks, collects, and remembers what got no answer."""

    def __init__(self) -> None:
        self._unanswered: list[Unanswered] = []

    @property
    def unanswered(self) -> tuple[Unanswered, ...]:
        """What got no answer so far."""
        return tuple(self._unanswered)

    def answer(self, pending: Pending[AnswerT] | None, fallback: FallbackT) -> AnswerT | FallbackT:
        """The answer, or `fallback` for a question that was not asked or failed.

        Raises:
            SignInError: No usable credential; no other question would do better.
            SubscriptionError: The subscription cannot be used.
        """
        if pending is None:
            return fallback
        try:
            return pending.wait()
        except ProvisioningError as error:
            if _ends_everything(error):
                raise
            self._unanswered.append(Unanswered(pending.topic, pending.region, _of_a_question(error)))
            return fallback


def _of_a_question(error: ProvisioningError) -> ProvisioningError:
    """Passing troubles come with the advice to resume the run; here there may be none yet."""
    if isinstance(error, TransientError | ThrottledError):
        return type(error)(error.fact, hint=_ASK_AGAIN, code=error.code)
    return error


def _ends_everything(error: ProvisioningError) -> bool:
    """A provider that is not registered spoils only what it would have answered."""
    if isinstance(error, SubscriptionError):
        return error.code.lower() not in NOT_REGISTERED_CODES
    return isinstance(error, SignInError)
