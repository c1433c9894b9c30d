"""Numbers and times in the words that a person reads."""

from __future__ import annotations

import time


def duration(seconds: float) -> str:
    """`7 s`, `3 m 05 s`, `2 h 07 m`, `3 d 04 h`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} m"
    return f"{whole // 86_400} d {whole % 86_400 // 3600:02} h"


def size(count: float) -> str:
    """Bytes in powers of 1,000, as disks are sold: `4.2 MB`, `94.3 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} TB"


def age(at: float, now: float | None = None) -> str:
    """How long ago: `5 s ago`."""
    return f"{duration(max(0.0, (time.time() if now is None else now) - at))} ago"


def clock(at: float) -> str:
    """Seconds since the epoch as local `2026-11-22 14:05:09`."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def time_of_day(at: float) -> str:
    """Seconds since the epoch as local `14:05:09`."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def dollars(amount: float) -> str:
    """`$0.42`, `$41.20`."""
    return f"${amount:,.2f}"


def cents(amount: float) -> str:
    """`$41.20`, and below a dollar to a hundredth of a cent: `$0.0042`."""
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"
