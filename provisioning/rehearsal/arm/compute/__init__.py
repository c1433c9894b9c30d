"""Microsoft.Compute: disks, virtual machines, images, sizes and quotas."""
