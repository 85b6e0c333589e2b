"""The four critics keep the contract that third-party ones are held to."""

from napari_cytosynth.synthesis.critics.agreement import AgreementCritic
from napari_cytosynth.synthesis.critics.copy import CopyCritic
from napari_cytosynth.synthesis.critics.diversity import DiversityCritic
from napari_cytosynth.synthesis.critics.manifold import ManifoldCritic
from napari_cytosynth.testing.contracts_critic import CriticContract


class TestAgreement(CriticContract):
    def make(self):
        return AgreementCritic()


class TestManifold(CriticContract):
    def make(self):
        return ManifoldCritic()


class TestCopy(CriticContract):
    def make(self):
        return CopyCritic()


class TestDiversity(CriticContract):
    def make(self):
        return DiversityCritic()
