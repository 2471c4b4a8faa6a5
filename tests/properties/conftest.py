"""The whole demonstration as values: policy and credentials, without a store."""

from importlib import resources

import pytest

from app.bootstrap import seed_policy
from app.demonstration.loader import demonstration_documents
from app.usecases.load_policy import read_policy_folder
from registry.canonical import canonical_json, digest
from registry.credential import credential_id, known_from, read_credential
from registry.dossier import HeldCredential
from registry.policy import Policy, build_policy


def _held(document: dict, policy: Policy) -> HeldCredential:
    profile = policy.profiles[document["type"]]
    credential = read_credential(document, profile)
    return HeldCredential(
        id=credential_id(credential.type, profile.number.normalise(credential.number), credential.issuer),
        credential=credential,
        digest=digest(canonical_json(credential.content())),
        known_from=known_from(credential),
    )


@pytest.fixture(scope="session")
def policy() -> Policy:
    return build_policy((*seed_policy(), *read_policy_folder(resources.files("app.demonstration"))))


@pytest.fixture(scope="session")
def held(policy: Policy) -> list[HeldCredential]:
    return [_held(document, policy) for document in demonstration_documents()]
