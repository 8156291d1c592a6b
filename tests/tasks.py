"""The tasks of all training stages by name, for tests and benchmarks of every model."""

from melodygan.models.autoencoder.training import AutoencoderTask
from melodygan.models.cyclegan.training import CycleGANTask
from melodygan.models.feature_gan.training import FeatureGANTask
from melodygan.models.latent_gan.training import LatentGANTask
from melodygan.models.latent_prior.training import LatentPriorTask
from melodygan.models.pix2pix.training import Pix2PixTask
from melodygan.models.vocoder.training import VocoderTask
from melodygan.models.vqvae.training import VQVAETask
from melodygan.models.wgan_gp.training import WGANGPTask
from melodygan.training.task import Task

TASKS: dict[str, type[Task]] = {
    "vqvae": VQVAETask,
    "latent_gan": LatentGANTask,
    "latent_prior": LatentPriorTask,
    "cyclegan": CycleGANTask,
    "pix2pix": Pix2PixTask,
    "wgan_gp": WGANGPTask,
    "autoencoder": AutoencoderTask,
    "feature_gan": FeatureGANTask,
    "vocoder": VocoderTask,
}
