FROM python:3.11-slim
CMD ["python", "a\u0000b"]
