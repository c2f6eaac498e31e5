"""What a study asks and computes: presets, designs, protocols and the results that they leave.

The registered claims are judged elsewhere, and nothing here turns a number into a sentence.
"""
