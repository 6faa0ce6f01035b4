/** Keys and values in pages: what the kernels and the cache share. */

/** Tokens of a page of keys and values (Kwon et al. 2023, PagedAttention): a tile of the attention kernels. */
export const attentionPageTokens = 64;
