"""Which metrics the leaderboard shows, in which table and in which order."""

from __future__ import annotations

LOG_SCALE = ("fd_", "fid_", "latency_", "train_images", "infer_images", "peak_")
"""Metrics, by the beginning of their ids, whose spread over seeds is relative."""
QUALITY = (
    "z1_domain_acc",
    "z1_domain_acc_linear",
    "z1_leak_bits",
    "z1_probe_power",
    "da_acc",
    "da_acc_back",
    "da_acc_source",
    "separation",
    "info_z1_common",
    "leak_z1_specific",
    "info_z2_specific",
    "leak_z2_common",
    "mig_block",
    "sap_block",
    "dci_block",
    "cf_skill_in_add",
    "cf_skill_in_remove",
    "cf_harm_out_add",
    "cf_harm_out_remove",
    "cf_rank_add",
    "tr_specific_acc",
    "tr_common_acc",
    "tr_domain_success",
    "rm_common_acc",
    "rm_domain_success",
    "div_guides",
    "cyc_l1_a",
    "cyc_l1_b",
    "cyc_z1",
    "cyc_z2",
    "fd_add",
    "fd_remove",
    "fd_cond_add",
    "fd_cond_remove",
    "fid_add",
    "fid_remove",
    "kid_add",
    "kid_remove",
    "precision_add",
    "precision_remove",
    "recall_add",
    "recall_remove",
    "density_add",
    "density_remove",
    "coverage_add",
    "coverage_remove",
    "rec_l1_a",
    "rec_l1_b",
    "rec_psnr_a",
    "rec_psnr_b",
    "rec_ssim_a",
    "rec_ssim_b",
)
RANKED = ("z1_domain_acc", "da_acc", "cf_skill_in_add", "cf_rank_add", "fd_add", "rec_l1_a")
"""Their mean rank orders the rows: hiding, carrying a label over, adding, following the guide,
realism, keeping."""
COST = (
    "train_images_per_s",
    "infer_images_per_s",
    "latency_ms_p50",
    "latency_ms_p95",
    "peak_memory_mb",
    "params",
    "params_infer",
    "flops_infer",
    "flops_train_step",
)
FACTS = ("steps", "images", "flops", "cpu_seconds", "scoring")
MAIN = (
    "z1_domain_acc",
    "z1_probe_power",
    "da_acc",
    "separation",
    "cf_skill_in_add",
    "cf_skill_in_remove",
    "cf_harm_out_add",
    "cf_rank_add",
    "tr_specific_acc",
    "tr_common_acc",
    "fd_add",
    "rec_l1_a",
)
"""The columns of the first table."""
FURTHER = {
    "What is in which code": ("z1_", "da_", "info_", "leak_", "mig_", "sap_", "dci_"),
    "Transfer": ("cf_", "tr_", "rm_", "div_", "cyc_"),
    "Image quality": ("fd_", "fid_", "kid_", "precision_", "recall_", "density_", "coverage_"),
    "Reconstruction": ("rec_",),
}
"""The tables of the other columns, by the beginnings of their ids."""
ARROWS = {"higher": "up", "lower": "down", "near 1": "to 1"}
