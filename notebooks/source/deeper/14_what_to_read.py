# %% [markdown]
# # Deeper · What to read, and in which order
#
# Twenty papers, chapters, lectures and pages, each with a line on why. They are in the order in which we would read
# them after this course: first the same ground once more with other eyes, then what VAEs became, then diffusion and
# tokens, at last the view from above. Everything here can be read or watched without paying. Nobody needs all of it; take
# one from each part. (About 20 minutes to choose from; weeks to read.)
#
# ## The same ground, with other eyes
#
# 1. [VAE Explainer](https://xnought.github.io/vae-explainer/): a VAE for digits in the browser, whose code you move by
#    hand. Ten minutes, and the best way to explain to somebody else what you have learnt.
# 2. L. Weng, [From autoencoder to beta-VAE](https://lilianweng.github.io/posts/2018-08-12-vae/): lessons 03 to 08 in
#    the notation of the papers, on one long page.
# 3. MIT 6.S191, [Introduction to deep learning](https://introtodeeplearning.com): a course of lectures on video, with
#    one on generative models each year. For those who would rather hear it once more.
# 4. S. Prince, [Understanding deep learning](https://udlbook.github.io/udlbook/): a free textbook with the clearest
#    figures in the field; its chapters 17 and 18 are on VAEs and diffusion.
# 5. D. Kingma, M. Welling, [Auto-encoding variational Bayes](https://arxiv.org/abs/1312.6114) (2013): the paper that
#    began it, of which you can now read every line.
# 6. D. Kingma, M. Welling, [An introduction to variational autoencoders](https://arxiv.org/abs/1906.02691) (2019): the
#    same authors six years later, with everything that the first paper left out.
#
# ## What a VAE can do, and what it cannot
#
# 7. M. Hoffman, M. Johnson, [ELBO surgery](http://approximateinference.org/accepted/HoffmanJohnson2016.pdf) (2016): four
#    pages that cut the rate in two; lesson 10 lives on them.
# 8. A. Alemi and others, [Fixing a broken ELBO](https://arxiv.org/abs/1711.00464) (2018): why one number, the ELBO,
#    cannot say whether a code is good. Read it for its picture of rate and distortion.
# 9. F. Locatello and others, [Challenging common assumptions in the unsupervised learning of disentangled
#    representations](https://arxiv.org/abs/1811.12359) (2019): 12,000 models against a popular hope, and an example of
#    how to test a claim. Our page on [disentanglement](14_disentanglement.ipynb) follows it.
# 10. B. Dai, D. Wipf, [Diagnosing and enhancing VAE models](https://arxiv.org/abs/1903.05789) (2019): why the codes miss
#     the prior, and a second model on the codes, three years before everybody did it.
# 11. R. Child, [Very deep VAEs generalize autoregressive models and can outperform them on
#     images](https://arxiv.org/abs/2011.10650) (2020): our [two levels](14_two_levels.ipynb), but dozens of them.
#
# ## Diffusion
#
# 12. Y. Song, [Generative modeling by estimating gradients of the data
#     distribution](https://yang-song.net/blog/2021/score/): the walk of lesson 14 told as a search for the score, by
#     one of those who found it, with moving pictures.
# 13. J. Ho, A. Jain, P. Abbeel, [Denoising diffusion probabilistic models](https://arxiv.org/abs/2006.11239) (2020): the
#     paper after which the field changed its direction. Look for the ELBO in section 2.
# 14. T. Karras and others, [Elucidating the design space of diffusion-based generative
#     models](https://arxiv.org/abs/2206.00364) (2022): takes the recipes apart and measures each choice. A model of a paper.
# 15. D. Kingma, R. Gao, [Understanding diffusion objectives as the ELBO with simple data
#     augmentation](https://arxiv.org/abs/2303.00848) (2023): the bridge back to lesson 07.
# 16. Hugging Face, [Diffusion models course](https://huggingface.co/learn/diffusion-course): notebooks in which you train
#     larger models than ours, and fine-tune those of others.
#
# ## Codes in today's models
#
# 17. A. van den Oord, O. Vinyals, K. Kavukcuoglu, [Neural discrete representation
#     learning](https://arxiv.org/abs/1711.00937) (2017): the VQ-VAE; our page on [tokens](14_tokens.ipynb) is its small
#     copy.
# 18. R. Rombach and others, [High-resolution image synthesis with latent diffusion
#     models](https://arxiv.org/abs/2112.10752) (2022): the paper behind Stable Diffusion. Read how the autoencoder
#     is trained, and why its KL has so small a weight.
# 19. D. Ha, J. Schmidhuber, [World models](https://worldmodels.github.io) (2018): an agent that learns to drive inside
#     the dream of a VAE; as a page on which you can steer yourself.
#
# ## From above
#
# 20. UC Berkeley, [CS294-158 Deep unsupervised
#     learning](https://sites.google.com/view/berkeley-cs294-158-sp24/home): autoregressive models, flows, VAEs, GANs and
#     diffusion on video, in one order and one language, with homework in which you build them all. After this course
#     you are ready for it.
#
# Back to [lesson 14 · Where next](../14_where_next.ipynb).
