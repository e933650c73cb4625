"""The papers that several checks come from."""

ATHALYE = "Athalye et al. (2018), Obfuscated Gradients"
CARLINI = "Carlini et al. (2019), On Evaluating Adversarial Robustness"
