"""Resource ids: taken apart, put together, compared without regard to case."""

from __future__ import annotations

from dataclasses import dataclass

from provisioning.rehearsal.arm.errors import ArmError


@dataclass(frozen=True, slots=True)
class ResourceId:
    """The parts of a full ARM id; `type` is `Namespace/type[/child type]`, `name` is `name[/child name]`."""

    subscription: str
    group: str
    type: str
    name: str

    @staticmethod
    def parse(text: str) -> ResourceId:
        """Take a resource id apart.

        Raises:
            ArmError: 400 LinkedInvalidPropertyId, ARM's answer to a malformed reference.
        """
        words = text.strip("/").split("/")
        well_formed = len(words) >= 8 and len(words) % 2 == 0 and words[0].lower() == "subscriptions"
        if not well_formed or words[2].lower() != "resourcegroups" or words[4].lower() != "providers":
            message = (
                f"Property id '{text}' is invalid. Expect fully qualified resource Id that start with "
                "'/subscriptions/{subscriptionId}' or '/providers/{resourceProviderNamespace}/'."
            )
            raise ArmError(400, "LinkedInvalidPropertyId", message)
        pairs = words[6:]
        types, names = pairs[0::2], pairs[1::2]
        return ResourceId(words[1], words[3], "/".join([words[5], *types]), "/".join(names))

    def __str__(self) -> str:
        namespace, *types = self.type.split("/")
        pairs = "/".join(f"{kind}/{name}" for kind, name in zip(types, self.name.split("/"), strict=True))
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/providers/{namespace}/{pairs}"

    def child(self, kind: str, name: str) -> ResourceId:
        """The id of something inside this resource."""
        return ResourceId(self.subscription, self.group, f"{self.type}/{kind}", f"{self.name}/{name}")


def type_of(resource_id: str) -> str:
    """The type of what an id names, resource groups included."""
    words = resource_id.strip("/").split("/")
    return ResourceId.parse(resource_id).type if len(words) > 4 else "Microsoft.Resources/resourceGroups"


def same_id(left: str, right: str) -> bool:
    """Whether two ids name the same resource."""
    return left.lower() == right.lower()
