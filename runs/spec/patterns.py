"""The forms that text in the run file must have, each with the words in which a wrong one is refused."""

from collections.abc import Mapping

RUN_NAME = r"^[a-z]([a-z0-9-]{0,22}[a-z0-9])?$"
SUBSCRIPTION = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
SIZE = r"^Standard_[A-Za-z0-9_]{2,60}$"
SIZE_OR_AUTO = r"^(auto|Standard_[A-Za-z0-9_]{2,60})$"
GPUS = r"^[1-9][0-9]?x[A-Za-z][A-Za-z0-9-]{1,30}$"
REGION = r"^[a-z][a-z0-9]{2,40}$"
IMAGE = r"^[A-Za-z0-9_.-]+:[A-Za-z0-9_.-]+:[A-Za-z0-9_.-]+:[A-Za-z0-9_.-]+$"
USERNAME = r"^[a-z_][a-z0-9_-]{0,30}$"
MOUNT = r"^/(workspace|data|mnt/[a-z][a-z0-9-]*)$"
SECRET_NAME = r"^[A-Z][A-Z0-9_]{0,63}$"  # noqa: S105 (the form of a name, not a secret)
JUMP = r"^([A-Za-z0-9_][A-Za-z0-9_.-]{0,63}@)?[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}(:[0-9]{1,5})?$"
TAG_NAME = r"^[^<>%&\\?/\x00-\x1f]{1,128}$"
# Azure's rules for the names of accounts and containers; the prefix is what stands in a web address as it is.
MIRROR = r"^az://[a-z0-9]{3,24}/[a-z0-9](-?[a-z0-9]){2,62}(/[A-Za-z0-9._~-]{1,100}){0,10}$"
SHA256 = r"^[0-9a-f]{64}$"
# Colons would be an address of another computer's, which answers and scores do not come from, or go to.
LOCAL_PATH = r"^[^\x00-\x1f:]+$"
TASK_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
PLAIN_TEXT = r"^[^\x00-\x1f]*$"

WORDS: Mapping[str, str] = {
    RUN_NAME: "at most 24 lower-case letters, digits and dashes, a letter first and no dash last",
    SUBSCRIPTION: "a subscription id, such as 00000000-0000-0000-0000-000000000000",
    SIZE: "a VM size, such as Standard_NC96ads_A100_v4",
    SIZE_OR_AUTO: "auto or a VM size, such as Standard_NC96ads_A100_v4",
    GPUS: "a number of GPUs and their name, such as 4xA100-80GB",
    REGION: "a region as Azure names it, such as eastus",
    IMAGE: "publisher:offer:sku:version",
    USERNAME: "at most 31 lower-case letters, digits, dashes and underscores, a letter first",
    MOUNT: "/workspace, /data or /mnt/NAME",
    SECRET_NAME: "the name of an environment variable, such as HF_TOKEN (never its value)",
    JUMP: "a host as your own ssh takes it, such as me@bastion.example.org:2222",
    TAG_NAME: r"at most 128 characters, none of < > % & \ ? /",
    MIRROR: "az://ACCOUNT/CONTAINER or az://ACCOUNT/CONTAINER/PREFIX",
    SHA256: "64 hexadecimal digits in lower case",
    LOCAL_PATH: "a local path",
    TASK_NAME: "a task's name, such as arc_challenge",
    PLAIN_TEXT: "text on one line",
}
