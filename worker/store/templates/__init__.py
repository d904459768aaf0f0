"""Read and write the registry: templates, signatures, and how accounts send templates."""
