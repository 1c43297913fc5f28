"""Stacks of CloudFormation: what is deployed, what would change, and changing it."""
