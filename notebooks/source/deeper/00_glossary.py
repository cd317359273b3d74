# %% [markdown]
# # Deeper · Glossary and notation
#
# The words and letters of the course, each with the lesson that explains it. Nothing here has to be learnt by heart:
# come back when a word has slipped away.

# %% [markdown]
# ## Notation
#
# | written | in the code | is |
# |---|---|---|
# | $x$ | `images`, `x` | an image, or a batch of them of the shape (N, C, H, W), with numbers in [0, 1] |
# | $\hat x$ | `reconstruction` | what the decoder makes of a code |
# | $h$ | `codes`, `h` | the code of an autoencoder, also called its embedding |
# | $z$ | `z` | the code of a VAE, drawn at random |
# | $\mu$, $\log\sigma^2$ | `mean`, `log_var` | mean and log variance that a VAE's encoder gives for each number of the code |
# | $\sigma$ | `sigma` | a standard deviation: of the code's cloud, of a likelihood, or of noise; the lesson says which |
# | $\varepsilon$ | `eps`, `noise` | standard normal noise |
# | $\varphi$ | `sigmoid`, `relu`, … | the activation of a neuron |
# | $p(z)$ | | the prior, $\mathcal N(0, I)$ |
# | $p(x \mid z)$ | `decode` | the likelihood: how probable an image is, given its code |
# | $q(z \mid x)$ | `encode` | the encoder's guess of the code, a Gaussian |
# | $D_{KL}$ | `kl_divergence` | the Kullback–Leibler divergence, in nats |
# | $\beta$ | `beta` | the weight of the rate in the loss; in lesson 01 the steepness of a neuron |
# | N, C, H, W | | images in a batch, channels, height, width |
# | d, k | `latent_dim`, `k` | how many numbers a code has; how many components are kept, or draws are made |
#
# Losses are in **nats per image**: summed over the pixels or the numbers of the code, averaged over the batch.
# A **nat** is the unit of information that goes with the natural logarithm; 0.69 nats are one bit.

# %% [markdown]
# ## Words
#
# **Activation** ([01](../01_from_a_neuron_to_an_autoencoder.ipynb)): the function that a neuron applies to its weighted sum, such as the sigmoid or ReLU.
#
# **Amortization gap** ([10](../10_a_vae_for_faces.ipynb)): what is lost because one encoder must guess the codes of all images; a few gradient steps on the code win part of it back.
#
# **Autoencoder** ([01](../01_from_a_neuron_to_an_autoencoder.ipynb)): a network that is trained to give back its input, through a code.
#
# **Batch** ([01](../01_from_a_neuron_to_an_autoencoder.ipynb)): the images of one step of training.
#
# **Bottleneck** ([03](../03_the_fully_connected_autoencoder.ipynb)): a code with fewer numbers than the image has pixels.
#
# **Code, embedding, latent vector** ([01](../01_from_a_neuron_to_an_autoencoder.ipynb)): the numbers between encoder and decoder.
#
# **Codebook, token** ([14](../14_where_next.ipynb)): a numbered list of short codes, and a number from it; a picture becomes a text of tokens.
#
# **Conditional VAE** ([13](../13_handwriting_styles.ipynb)): a VAE that is told the class of each image, so that its code is free for the rest.
#
# **Contractive autoencoder** ([06](../06_other_autoencoders.ipynb)): one whose code is made to move little when the input moves.
#
# **Convolution** ([04](../04_the_convolutional_autoencoder.ipynb)): the same small window of weights, applied at every place of an image.
#
# **Decoder, encoder** ([01](../01_from_a_neuron_to_an_autoencoder.ipynb)): the two halves of an autoencoder: from code to image, and from image to code.
#
# **Denoising autoencoder** ([05](../05_denoising_autoencoders.ipynb)): one that gets a spoilt image and must give the clean one.
#
# **Diffusion model** ([14](../14_where_next.ipynb)): a denoiser for all strengths of noise, which walks from pure noise to new data.
#
# **Direction** ([11](../11_face_attribute_arithmetic.ipynb)): a list of numbers that is added to a code to change one attribute.
#
# **Disentanglement** ([page](14_disentanglement.ipynb)): each number of the code stands for one cause of what is seen.
#
# **Distortion** ([07](../07_the_vae_piece_by_piece.ipynb)): the reconstruction term of a VAE's loss, $-\log p(x \mid z)$.
#
# **ELBO, evidence lower bound** ([07](../07_the_vae_piece_by_piece.ipynb)): minus distortion minus rate; never above $\log p(x)$.
#
# **Fréchet distance** ([08](../08_a_vae_for_handwritten_digits.ipynb)): how different two sets of images are, from means and covariances of a classifier's features.
#
# **Generative model** ([00](../00_ten_minutes.ipynb)): a model that makes new data like those it was trained on.
#
# **Importance-weighted bound** ([09](../09_is_my_vae_any_good.ipynb)): a tighter bound on $\log p(x)$ from several draws of the code.
#
# **KL divergence** ([07](../07_the_vae_piece_by_piece.ipynb)): how far one distribution is from another, in nats; not symmetric, never negative.
#
# **Latent variable** ([07](../07_the_vae_piece_by_piece.ipynb)): a quantity that explains the data but is never seen.
#
# **Leakage** ([11](../11_face_attribute_arithmetic.ipynb)): what an edit changes besides what it was meant to change.
#
# **Likelihood** ([07](../07_the_vae_piece_by_piece.ipynb)): the probability, or density, of the data under a model.
#
# **Manifold** ([08](../08_a_vae_for_handwritten_digits.ipynb)): the curved sheet, among all images, that a decoder can draw.
#
# **Match rate, false-match rate** ([12](../12_autoencoders_for_privacy.ipynb)): how many pairs of pictures of one person, and of two, a matcher takes for the same person.
#
# **Mixture of Gaussians** ([10](../10_a_vae_for_faces.ipynb)): several bell-shaped clouds together, as a better description of where codes lie.
#
# **Noise schedule** ([14](../14_where_next.ipynb)): the list of strengths of noise that a diffusion model walks down.
#
# **PCA, principal component analysis** ([02](../02_dimensionality_reduction.ipynb)): the best flat summary of data; what a linear autoencoder finds.
#
# **Posterior** ([07](../07_the_vae_piece_by_piece.ipynb)): which codes are plausible for an image, $p(z \mid x)$.
#
# **Posterior collapse** ([08](../08_a_vae_for_handwritten_digits.ipynb)): units of the code that carry nothing, because their cloud equals the prior.
#
# **Prior** ([07](../07_the_vae_piece_by_piece.ipynb)): where codes are before an image is seen.
#
# **Rate** ([07](../07_the_vae_piece_by_piece.ipynb)): the KL term of a VAE's loss: how many nats the code carries about an image.
#
# **Reparameterization** ([07](../07_the_vae_piece_by_piece.ipynb)): drawing $z = \mu + \sigma\varepsilon$, so that a gradient passes through the draw.
#
# **ROC curve, AUC** ([05](../05_denoising_autoencoders.ipynb)): what is found against what is found wrongly, for every threshold; the area under this curve, 0.5 for guessing.
#
# **Semi-adversarial network** ([12](../12_autoencoders_for_privacy.ipynb)): one that changes a picture so that one network fails and another does not.
#
# **Sparse code** ([06](../06_other_autoencoders.ipynb)): one in which few numbers are not zero.
#
# **Transposed convolution** ([04](../04_the_convolutional_autoencoder.ipynb)): a layer that stamps its window onto a larger image.
#
# **Unsupervised learning** ([00](../00_ten_minutes.ipynb)): learning without labels.
#
# **VAE, variational autoencoder** ([07](../07_the_vae_piece_by_piece.ipynb)): an autoencoder whose code is a distribution, trained by the ELBO.
#
# Back to [lesson 00](../00_ten_minutes.ipynb).
