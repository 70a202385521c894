"""What models are known to fail at (GPT-4 report, §5, and its system card): one probe for each limitation."""
